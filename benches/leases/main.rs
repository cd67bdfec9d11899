//! `make bench-leases`: how soon a lease is on the standby, and what many leases cost the loop.
//!
//! A real pair in namespaces, adverts every 200 ms. Measured is from the moment at which the change is there (the DHCPACK on the
//! wire, or the last byte of the file) to the moment at which it stands in the standby's own file in memory, which
//! the standby writes in the turn in which it has heard of it. The table goes to the standard output and to
//! `bench-leases.md` in cargo's target directory. `SECONDS=` says how long the steady load lasts.

#[path = "../../tests/lab/mod.rs"]
mod lab;

mod arrivals;
mod loop_work;
mod writer;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant, SystemTime};

use arrivals::Arrivals;
use lab::dhcp::{Clients, lease_file, serve};
use lab::gwha::{Gwha, configuration, run_dir};
use lab::setup::{Preempt, Setup};
use lab::topology::{Host, Segment};
use lab::{Lab, isolate, until};
use writer::Writer;

const LIMIT: Duration = Duration::from_secs(30);

fn main() {
    lab::tools::require(&["dnsmasq", "busybox", "ip", "nft", "unshare"]);
    isolate::enter();
    let lab = Lab::gateways("bench-leases");
    let mut out = String::from("| | |\n|---|---|\n");
    acknowledged(&lab, &mut out);
    written(&lab, &mut out);
    for (work, least, usual) in loop_work::measure(10_000, &lab.dir) {
        let _ =
            writeln!(out, "| the loop with 10,000: {work} | at least {}, median {} |", ms(least), ms(usual));
    }
    println!("{out}");
    let path = lab::target_dir().join("bench-leases.md");
    fs::write(&path, &out).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

struct Pair {
    a: Gwha,
    b: Gwha,
    arrivals: Arrivals,
}

fn pair(lab: &Lab) -> Pair {
    let setup = Setup { preempt: Preempt::No, ..Setup::lan(200) };
    let [a, b] = [Host::A, Host::B].map(|host| {
        let key = lab.dir.join(format!("{host}.key"));
        fs::write(&key, "7".repeat(64)).expect("the key is written");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the key is closed");
        let _ = fs::remove_file(lease_file(lab, host));
        let _ = fs::remove_dir_all(run_dir(host));
        let sync = format!(
            "\nconfig sync 'peer'\n\toption instance 'lan'\n\toption key_file '{}'\n\toption lease_file '{}'\n",
            key.display(),
            lease_file(lab, host).display()
        );
        let text = configuration(&setup, host).replace("'debug'", "'info'") + &sync;
        let node = Gwha::start_with(lab, host, &text);
        // Others use this machine too, and are not what is measured.
        let _ = std::process::Command::new("renice").args(["-n", "-20", "-p", &node.daemon.pid().to_string()]).output();
        if host == Host::A {
            until("A is master", LIMIT, || node.role() == "master");
        }
        node
    });
    until("the routers are connected", LIMIT, || a.at("/peer/connected") == true);
    let arrivals = Arrivals::watch(run_dir(Host::B).join("leases"));
    Pair { a, b, arrivals }
}

/// Real clients at a real server.
fn acknowledged(lab: &Lab, out: &mut String) {
    const CLIENTS: u8 = 40;
    let clients = Clients::new(lab, CLIENTS);
    let pair = pair(lab);
    let _server = serve(lab, Host::A);
    let mut count = 0;
    for _ in 0..5 {
        for client in 0..CLIENTS {
            count += usize::from(clients.ask(client).is_some());
        }
    }
    std::thread::sleep(Duration::from_secs(1));
    let acks = arrivals::acks(&lab.dir.join("lan.pcap"));
    let seen = pair.arrivals.all();
    let mut delays: Vec<Duration> = Vec::new();
    for (at, address) in &acks {
        // The first word about the address that is not older than the server's decision, a moment before its answer.
        let decided = *at - Duration::from_millis(2);
        let arrival = seen.iter().find(|arrival| arrival.address == *address && arrival.at >= decided);
        delays.extend(arrival.map(|arrival| arrival.at.saturating_sub(*at)));
    }
    assert!(delays.len() >= count * 9 / 10, "{} of {count} exchanges were seen", delays.len());
    let _ = writeln!(
        out,
        "| DHCPACK on the wire → lease on the standby ({} exchanges) | {} |",
        delays.len(),
        spread(delays)
    );
    drop((pair.a, pair.b));
}

/// A file writer in place of the server.
fn written(lab: &Lab, out: &mut String) {
    let seconds = std::env::var("SECONDS").ok().and_then(|it| it.parse().ok()).unwrap_or(60);
    let mut pair = pair(lab);
    let mut writer = Writer::new(&lease_file(lab, Host::A));
    let rest = gaps(lab, Duration::from_secs(10));

    let took = grown(&mut writer, &pair, 2000);
    let _ = writeln!(out, "| 2,000 new leases in the file → all on the standby | {} |", ms(took));
    let took = rejoined(&mut pair, 2000);
    let _ = writeln!(out, "| standby restarted without memory → connected with all 2,000 | {} |", ms(took));

    pair.arrivals.forget();
    let start = Instant::now();
    let changes = writer.churn(100, Duration::from_secs(seconds));
    std::thread::sleep(Duration::from_secs(1));
    let churn = longest(lab, start);
    let seen = pair.arrivals.all();
    let mut delays = Vec::new();
    for (at, name) in &changes {
        let arrival = seen.iter().find(|arrival| arrival.name == *name);
        delays.extend(arrival.map(|arrival| arrival.at.saturating_sub(*at)));
    }
    let text = format!("{} of {} arrived: {}", delays.len(), changes.len(), spread(delays));
    let _ = writeln!(out, "| 100 changes a second for {seconds} s in a file of 2,000 | {text} |");

    let start = Instant::now();
    let took = grown(&mut writer, &pair, 10_000);
    let _ = writeln!(out, "| 8,000 more leases in the file → all 10,000 on the standby | {} |", ms(took));
    let took = rejoined(&mut pair, 10_000);
    let _ = writeln!(out, "| standby restarted without memory → connected with all 10,000 | {} |", ms(took));
    writer.churn(20, Duration::from_secs(10));
    let many = longest(lab, start);
    let _ = writeln!(
        out,
        "| longest time between two adverts of the master, 200 ms apart: without leases | {} |",
        ms(rest)
    );
    let _ = writeln!(out, "| ... with 2,000 and 100 changes a second | {} |", ms(churn));
    let _ = writeln!(out, "| ... while 10,000 are read, sent twice, and 20 change a second | {} |", ms(many));
    let memory = resident(&pair.a);
    let _ = writeln!(out, "| resident memory of the master with 10,000 | {memory} KiB |");
}

fn grown(writer: &mut Writer, pair: &Pair, count: u32) -> Duration {
    let start = Instant::now();
    writer.grow(count);
    until("the standby has all", LIMIT, || pair.arrivals.addresses() == count as usize);
    start.elapsed()
}

/// From the start of the standby's daemon on.
fn rejoined(pair: &mut Pair, count: u32) -> Duration {
    pair.b.daemon.kill();
    let _ = fs::remove_dir_all(run_dir(Host::B));
    pair.arrivals.forget();
    let start = Instant::now();
    pair.b.restart();
    until("the standby has all again", LIMIT, || pair.arrivals.addresses() == count as usize);
    start.elapsed()
}

fn gaps(lab: &Lab, period: Duration) -> Duration {
    let start = Instant::now();
    std::thread::sleep(period);
    longest(lab, start)
}

fn longest(lab: &Lab, since: Instant) -> Duration {
    let adverts = lab.capture.adverts(Host::A, Segment::Lan, since);
    let times: Vec<Instant> = adverts.into_iter().map(|(at, _)| at).collect();
    times.windows(2).map(|two| two[1].duration_since(two[0])).max().unwrap_or_default()
}

fn resident(node: &Gwha) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.daemon.pid())).expect("the daemon runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory is told");
    line.split_whitespace().nth(1).and_then(|it| it.parse().ok()).unwrap_or(0)
}

fn spread(mut delays: Vec<Duration>) -> String {
    delays.sort_unstable();
    let part = |per_cent: usize| {
        delays.get((delays.len().saturating_sub(1)) * per_cent / 100).copied().unwrap_or_default()
    };
    format!("median {}, p99 {}, worst {}", ms(part(50)), ms(part(99)), ms(part(100)))
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Since 1970: the clock of the captures.
fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
