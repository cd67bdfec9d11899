//! The carrier checks against real kernels: every test has network namespaces of its own.
//!
//! They need root; without it they say so and pass.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use gwha::config::model::TrackKind;
use gwha::probe::{Failure, Outcome, ProbeResult, Prober, Via};
use gwha::wire::arp::{Arp, Operation};
use gwha::wire::ethernet::Mac;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

mod ping {
    use super::*;

    #[test]
    fn a_target_answers_with_its_round_trip_time() {
        let Some(_lab) = Lab::new() else { return };
        let mut prober = ping(&["10.0.0.2", "fd00::2", "fe80::2"]);

        let results = round(&mut prober, 1, 3);

        assert_eq!(answered(&results), [0, 1, 2]);
        let Outcome::Answered(took) = results[0].outcome else { unreachable!() };
        assert!(took > Duration::ZERO && took < Duration::from_millis(500), "{took:?}");
    }

    #[test]
    fn every_round_is_answered_on_the_same_sockets() {
        let Some(_lab) = Lab::new() else { return };
        let mut prober = ping(&["10.0.0.2"]);

        for number in [7, 8, 70_000, u32::MAX, 0] {
            assert_eq!(answered(&round(&mut prober, number, 1)), [0]);
            assert_eq!(watched(&prober), 1);
        }
    }

    #[test]
    fn a_silent_target_gives_no_result_and_holds_nobody_up() {
        let Some(_lab) = Lab::new() else { return };
        let mut prober = ping(&["10.0.0.99", "10.0.0.2"]);

        let results = round(&mut prober, 1, 2);

        assert_eq!(answered(&results), [1]);
        assert_eq!(results.len(), 1);
    }

    #[test]
    fn the_same_target_twice_gives_two_results() {
        let Some(_lab) = Lab::new() else { return };

        assert_eq!(answered(&round(&mut ping(&["10.0.0.2", "10.0.0.2"]), 1, 2)), [0, 1]);
    }

    #[test]
    fn an_answer_to_a_cancelled_or_older_round_is_ignored() {
        let Some(_lab) = Lab::new() else { return };
        let mut prober = ping(&["10.0.0.2"]);
        let mut out = Vec::new();

        prober.start(1, now(), &mut out);
        assert!(is_readable(&prober, 500));
        prober.cancel(1);
        prober.ready(now(), &mut out);
        assert_eq!(out, []);

        prober.start(2, now(), &mut out);
        assert!(is_readable(&prober, 500));
        prober.start(3, now(), &mut out);
        out.extend(collect(&mut prober, 1));
        assert_eq!(out.iter().map(|result| result.round).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn cancelling_another_round_changes_nothing() {
        let Some(_lab) = Lab::new() else { return };
        let mut prober = ping(&["10.0.0.2"]);

        prober.start(5, now(), &mut Vec::new());
        prober.cancel(4);

        assert_eq!(answered(&collect(&mut prober, 1)), [0]);
    }

    #[test]
    fn another_ones_replies_do_not_wake_it() {
        let Some(_lab) = Lab::new() else { return };
        let mut idle = ping(&["10.0.0.2", "fd00::2"]);
        let mut busy = ping(&["10.0.0.2", "fd00::2"]);
        assert_eq!(answered(&round(&mut idle, 1, 2)), [0, 1]);

        assert_eq!(answered(&round(&mut busy, 1, 2)), [0, 1]);

        assert!(!is_readable(&idle, 50));
    }

    #[test]
    fn no_route_is_known_at_once() {
        let Some(_lab) = Lab::new() else { return };
        let kind = TrackKind::Ping { targets: addresses(&["192.0.2.1", "10.0.0.2"]) };
        let mut prober = Prober::new(&kind, Via::Anywhere).unwrap().unwrap();
        let mut out = Vec::new();

        prober.start(1, now(), &mut out);
        out.extend(collect(&mut prober, 1));

        let outcome = Outcome::Failed(Failure::Unreachable);
        assert_eq!(out[0], ProbeResult { round: 1, target: 0, outcome });
        assert_eq!(answered(&out), [1]);
    }
}

mod device {
    use super::*;

    #[test]
    fn the_check_does_not_leave_through_another_device() {
        let Some(lab) = Lab::new() else { return };
        lab.join("other", "far", &Host::new());
        ip("address add 10.9.0.1/24 dev other");
        let mut prober = ping(&["10.0.0.2"]);

        prober.set_via(device("other"));
        assert_eq!(round(&mut prober, 1, 1), []);
        prober.set_via(device("near"));
        assert_eq!(answered(&round(&mut prober, 2, 1)), [0]);
    }

    #[test]
    fn a_device_that_is_made_anew_is_used_again() {
        let Some(lab) = Lab::new() else { return };
        let mut provers = [ping(&["10.0.0.2", "fe80::2"]), arp(&["10.0.0.2", "fe80::2"])];
        for prober in &mut provers {
            assert_eq!(answered(&round(prober, 1, 2)), [0, 1]);
        }

        ip("link delete near");
        for prober in &mut provers {
            let mut out = Vec::new();
            prober.start(2, now(), &mut out);
            assert_eq!(failures(&out), [Failure::NoDevice; 2]);
            assert!(becomes_quiet(prober), "it spins");
        }
        lab.connect();

        for prober in &mut provers {
            assert_eq!(answered(&round(prober, 3, 2)), [0, 1]);
        }
    }

    #[test]
    fn a_device_that_is_down_fails_and_works_again_when_it_is_up() {
        let Some(lab) = Lab::new() else { return };
        let mut provers = [ping(&["10.0.0.2"]), arp(&["10.0.0.2"])];
        for prober in &mut provers {
            assert_eq!(answered(&round(prober, 1, 1)), [0]);
        }

        ip("link set near down");
        for (prober, failure) in provers.iter_mut().zip([Failure::Unreachable, Failure::NoDevice]) {
            assert_eq!(failures(&round(prober, 2, 1)), [failure]);
            assert!(becomes_quiet(prober), "it spins");
        }
        ip("link set near up");
        lab.addresses_near();

        for prober in &mut provers {
            assert_eq!(answered(&round(prober, 3, 1)), [0]);
        }
    }

    #[test]
    fn an_unknown_device_fails_every_target() {
        let kind = TrackKind::Ping { targets: addresses(&["10.0.0.2", "fe80::2"]) };
        let mut out = Vec::new();

        for via in [Via::Unknown, device("gwha-none")] {
            Prober::new(&kind, via).unwrap().unwrap().start(1, 0, &mut out);
        }

        assert_eq!(failures(&out), [Failure::NoDevice; 4]);
    }

    #[test]
    fn a_link_track_has_no_hands() {
        assert!(Prober::new(&TrackKind::Link, Via::Unknown).unwrap().is_none());
    }
}

mod neighbor {
    use super::*;
    use gwha::wire::icmp6::{Flags, NeighborAdvertisement};
    use socket2::{Domain, Protocol, Socket, Type};

    #[test]
    fn stations_on_the_link_answer() {
        let Some(_lab) = Lab::new() else { return };
        let mut prober = arp(&["10.0.0.2", "fd00::2", "fe80::2"]);

        assert_eq!(answered(&round(&mut prober, 1, 3)), [0, 1, 2]);
        assert_eq!(answered(&round(&mut prober, 2, 3)), [0, 1, 2]);
    }

    #[test]
    fn addresses_that_nobody_has_do_not() {
        let Some(_lab) = Lab::new() else { return };

        assert_eq!(round(&mut arp(&["10.0.0.99", "fd00::99"]), 1, 2), []);
    }

    #[test]
    fn a_station_that_drops_everything_else_still_answers() {
        let Some(lab) = Lab::new() else { return };
        lab.peer.run(|| ip("address flush dev far scope global"));
        lab.peer.run(|| ip("address add 172.31.0.1/32 dev far"));

        assert_eq!(round(&mut ping(&["172.31.0.1"]), 1, 1), []);
        assert_eq!(answered(&round(&mut arp(&["172.31.0.1"]), 1, 1)), [0]);
    }

    #[test]
    fn an_interface_without_address_can_ask() {
        let Some(_lab) = Lab::new() else { return };
        ip("address flush dev near");

        assert_eq!(answered(&round(&mut arp(&["10.0.0.2"]), 1, 1)), [0]);
    }

    /// A carrier that filters by reverse path drops questions from addresses of elsewhere.
    #[test]
    fn an_interface_without_address_does_not_ask_with_that_of_another() {
        let Some(lab) = Lab::new() else { return };
        lab.join("other", "away", &Host::new());
        ip("address add 10.9.0.1/24 dev other");
        ip("address flush dev near");
        lab.peer.run(|| {
            for device in ["all", "far"] {
                std::fs::write(format!("/proc/sys/net/ipv4/conf/{device}/rp_filter"), "1").unwrap();
            }
        });

        assert_eq!(answered(&round(&mut arp(&["10.0.0.2"]), 1, 1)), [0]);
    }

    #[test]
    fn replies_to_others_and_requests_do_not_wake_it() {
        let Some(lab) = Lab::new() else { return };
        let mut prober = arp(&["10.0.0.2"]);
        assert_eq!(answered(&round(&mut prober, 1, 1)), [0]);
        let mut out = Vec::new();
        prober.start(2, now(), &mut out);
        out.extend(collect(&mut prober, 1));

        lab.peer.run(|| {
            let address = "10.0.0.2".parse().unwrap();
            let mut frame = Vec::new();
            Arp::gratuitous(PEER, address).emit_frame(Mac::BROADCAST, &mut frame);
            send_frame("far", &frame);
            let reply = Arp { operation: Operation::Reply, ..Arp::gratuitous(PEER, address) };
            frame.clear();
            reply.emit_frame(Mac::BROADCAST, &mut frame);
            send_frame("far", &frame);
        });

        assert!(!is_readable(&prober, 50));
    }

    #[test]
    fn only_a_solicited_advertisement_from_the_link_is_an_answer() {
        let Some(lab) = Lab::new() else { return };
        let mut prober = arp(&["fd00::77"]);
        let say = |flags: Flags, hops: u32| {
            lab.peer.run(move || {
                let (us, target): (Ipv6Addr, Ipv6Addr) =
                    ("fd00::1".parse().unwrap(), "fd00::77".parse().unwrap());
                let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
                socket.set_unicast_hops_v6(hops).unwrap();
                let mut message = Vec::new();
                NeighborAdvertisement { target, flags, link_address: Some(PEER) }.emit(us, us, &mut message);
                socket.send_to(&message, &SocketAddr::from((us, 0)).into()).unwrap();
            });
        };
        prober.start(1, now(), &mut Vec::new());

        say(Flags::SOLICITED, 64);
        assert!(!is_readable(&prober, 50));
        say(Flags::OVERRIDE, 255);
        assert_eq!(collect(&mut prober, 1), []);
        say(Flags::SOLICITED | Flags::OVERRIDE, 255);
        assert_eq!(answered(&collect(&mut prober, 1)), [0]);
    }

    /// The kernel lets whoever closes a packet socket wait until no CPU looks at it any more.
    #[test]
    fn neither_asking_nor_closing_holds_the_caller_up() {
        let Some(_lab) = Lab::new() else { return };
        let asked = shortest_of_20(|| {
            let mut prober = arp(&["10.0.0.2", "fd00::2"]);
            let start = Instant::now();
            prober.start(1, now(), &mut Vec::new());
            start.elapsed()
        });
        let closed = shortest_of_20(|| {
            let mut prober = arp(&["10.0.0.2", "fd00::2"]);
            prober.start(1, now(), &mut Vec::new());
            let start = Instant::now();
            drop(prober);
            start.elapsed()
        });

        assert!(asked < Duration::from_millis(2), "{asked:?}");
        assert!(closed < Duration::from_millis(2), "{closed:?}");
    }

    /// A busy machine makes some of them long.
    fn shortest_of_20(run: impl Fn() -> Duration) -> Duration {
        (0..20).map(|_| run()).min().unwrap()
    }

    #[test]
    fn a_device_without_ethernet_says_so() {
        let Some(_lab) = Lab::new() else { return };
        ip("link set lo up");
        let mut prober = arp(&["127.0.0.1", "::1"]);
        prober.set_via(device("lo"));
        let mut out = Vec::new();

        prober.start(1, now(), &mut out);

        assert_eq!(failures(&out), [Failure::NotEthernet; 2]);
    }
}

mod tcp {
    use super::*;

    fn tcp(targets: &[&str]) -> Prober {
        let targets = targets.iter().map(|target| target.parse().unwrap()).collect();
        Prober::new(&TrackKind::Tcp { targets }, device("near")).unwrap().unwrap()
    }

    #[test]
    fn an_open_port_answers_and_a_closed_one_refuses() {
        let Some(lab) = Lab::new() else { return };
        let _open = lab.peer.run(|| ["10.0.0.2:80", "[fd00::2]:80"].map(|at| TcpListener::bind(at).unwrap()));
        let mut prober = tcp(&["10.0.0.2:80", "[fd00::2]:80", "[fe80::2]:81", "10.0.0.2:81"]);

        let results = round(&mut prober, 1, 4);

        assert_eq!(answered(&results), [0, 1]);
        assert_eq!(failures(&results), [Failure::Refused; 2]);
        assert_eq!(watched(&prober), 0);
    }

    #[test]
    fn the_connection_is_reset_at_once() {
        let Some(lab) = Lab::new() else { return };
        let listener = lab.peer.run(|| TcpListener::bind("10.0.0.2:80").unwrap());

        assert_eq!(answered(&round(&mut tcp(&["10.0.0.2:80"]), 1, 1)), [0]);

        let (mut connection, _) = listener.accept().unwrap();
        assert_eq!(connection.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_silent_target_gives_no_result_until_it_is_cancelled() {
        let Some(_lab) = Lab::new() else { return };
        let mut prober = tcp(&["10.0.0.99:80", "10.0.0.98:80"]);

        assert_eq!(round(&mut prober, 1, 1), []);
        assert_eq!(watched(&prober), 2);
        prober.cancel(1);
        assert_eq!(watched(&prober), 0);
    }
}

mod script {
    use super::*;
    use nix::sys::signal::{SigSet, Signal};
    use std::path::Path;

    fn script(command: &str) -> Prober {
        let command = command.to_string();
        Prober::new(&TrackKind::Script { command }, Via::Anywhere).unwrap().unwrap()
    }

    fn is_gone(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        // A grandchild is an orphan: whoever adopts it may take its time to wait for it.
        stat.map_or(true, |stat| stat.contains(") Z "))
    }

    /// Waits until the script has written its process numbers.
    fn pids(file: &Path, count: usize) -> Vec<String> {
        for _ in 0..500 {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let pids: Vec<String> = text.lines().map(String::from).collect();
            if pids.len() == count && text.ends_with('\n') {
                return pids;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the script did not start");
    }

    fn wait_until(condition: impl Fn() -> bool) -> bool {
        (0..200).any(|_| {
            thread::sleep(Duration::from_millis(5));
            condition()
        })
    }

    #[test]
    fn exit_status_zero_is_the_answer() {
        assert_eq!(answered(&round(&mut script("true"), 1, 1)), [0]);
        assert_eq!(failures(&round(&mut script("exit 3"), 1, 1)), [Failure::Exit(3)]);
        assert_eq!(failures(&round(&mut script("/nonexistent/check"), 1, 1)), [Failure::Exit(127)]);
        assert_eq!(failures(&round(&mut script("kill -9 $$"), 1, 1)), [Failure::Signal(9)]);
    }

    #[test]
    fn a_command_with_nul_is_refused() {
        let kind = TrackKind::Script { command: "true\0false".into() };

        assert!(Prober::new(&kind, Via::Anywhere).is_err());
    }

    #[test]
    fn its_signals_are_those_of_a_new_process() {
        let mut blocked = SigSet::empty();
        blocked.add(Signal::SIGTERM);
        blocked.thread_block().unwrap();

        // The test runner ignores SIGPIPE, as the daemon does.
        for signal in [Signal::SIGTERM, Signal::SIGPIPE] {
            let results = round(&mut script(&format!("kill -{} $$; exit 0", signal as i32)), 1, 1);
            assert_eq!(failures(&results), [Failure::Signal(signal as i32)]);
        }
    }

    #[test]
    fn it_inherits_none_of_our_descriptors() {
        let _socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let command = "! ls -l /proc/$$/fd | grep -E 'socket:|anon_inode:'";

        assert_eq!(answered(&round(&mut script(command), 1, 1)), [0]);
    }

    #[test]
    fn cancelling_kills_it_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pids");
        let mut prober = script(&format!(
            "sleep 1000 & printf '%s\\n' $$ $! > {}; trap '' TERM INT; wait",
            file.display()
        ));
        prober.start(1, now(), &mut Vec::new());
        let pids = pids(&file, 2);

        prober.cancel(1);

        assert!(wait_until(|| pids.iter().all(|pid| is_gone(pid))), "{pids:?}");
        assert_eq!(collect(&mut prober, 1), []);
        assert_eq!(watched(&prober), 0);
        assert!(!Path::new(&format!("/proc/{}", pids[0])).exists(), "a zombie is left");
    }

    #[test]
    fn what_it_leaves_behind_ends_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pids");
        let mut prober = script(&format!("sleep 1000 & echo $! > {}", file.display()));

        assert_eq!(answered(&round(&mut prober, 1, 1)), [0]);

        let pids = pids(&file, 1);
        assert!(wait_until(|| is_gone(&pids[0])), "{pids:?}");
    }

    #[test]
    fn a_new_round_ends_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pids");
        let mut prober = script(&format!("echo $$ >> {}; sleep 1000", file.display()));
        let mut out = Vec::new();
        prober.start(1, now(), &mut out);
        let first = pids(&file, 1).remove(0);

        prober.start(2, now(), &mut out);

        assert!(wait_until(|| is_gone(&first)));
        assert!(!is_gone(&pids(&file, 2)[1]));
    }

    #[test]
    fn dropping_the_prober_ends_its_script() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pids");
        let mut prober = script(&format!("echo $$ > {}; exec sleep 1000", file.display()));
        prober.start(1, now(), &mut Vec::new());
        let pid = pids(&file, 1).remove(0);

        drop(prober);

        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "it lives on, or as a zombie");
    }
}

/// The address of [`Lab::peer`] on its link.
const PEER: Mac = Mac([2, 0, 0, 0, 0, 2]);

/// A network namespace for this thread, joined to another host by a cable: `near` here, `far` there.
struct Lab {
    peer: Host,
}

impl Lab {
    /// `None` without the right to make one.
    fn new() -> Option<Lab> {
        if let Err(error) = new_namespace() {
            eprintln!("skipped: no network namespace can be made here ({error})");
            return None;
        }
        let lab = Lab { peer: Host::new() };
        lab.connect();
        Some(lab)
    }

    fn connect(&self) {
        self.join("near", "far", &self.peer);
        self.addresses_near();
        self.peer.run(|| {
            for address in ["10.0.0.2/24", "fd00::2/64 nodad", "fe80::2/64 nodad"] {
                ip(&format!("address add {address} dev far"));
            }
            wait_for_routes("far");
        });
    }

    fn addresses_near(&self) {
        for address in ["10.0.0.1/24", "fd00::1/64 nodad", "fe80::1/64 nodad"] {
            ip(&format!("address replace {address} dev near"));
        }
        wait_for_routes("near");
    }

    /// A cable between a new device here and one of the host's.
    fn join(&self, here: &str, there: &str, host: &Host) {
        ip(&format!("link add name {here} type veth peer name {there} address {PEER} netns {}", host.thread));
        ip(&format!("link set {here} addrgenmode none"));
        let there = there.to_string();
        host.run(move || {
            ip(&format!("link set {there} addrgenmode none"));
            ip(&format!("link set {there} up"));
        });
        ip(&format!("link set {here} up"));
    }
}

/// A thread that lives in a namespace of its own.
struct Host {
    thread: i32,
    jobs: Sender<Box<dyn FnOnce() + Send>>,
}

impl Host {
    fn new() -> Host {
        let (jobs, received) = channel::<Box<dyn FnOnce() + Send>>();
        let (born, thread) = channel();
        thread::spawn(move || {
            new_namespace().unwrap();
            born.send(nix::unistd::gettid().as_raw()).unwrap();
            for job in received {
                job();
            }
        });
        Host { thread: thread.recv().unwrap(), jobs }
    }

    /// Runs something there, and waits for it.
    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        self.jobs.send(Box::new(move || done.send(job()).unwrap())).unwrap();
        result.recv().expect("the job on the other host failed")
    }
}

#[allow(unsafe_code)]
fn new_namespace() -> nix::Result<()> {
    // SAFETY: takes flags only. A thread that has others beside it may leave their network namespace.
    nix::errno::Errno::result(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// Runs `ip` in the calling thread's namespace.
fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The kernel takes note of a carrier in its own time, and sets up IPv6 only then.
fn wait_for_routes(device: &str) {
    for _ in 0..500 {
        let arguments = ["-6", "route", "show", "table", "all", "dev", device];
        let output = Command::new("ip").args(arguments).output().unwrap();
        let routes = String::from_utf8_lossy(&output.stdout);
        if ["fd00::/64", "fe80::/64", "local fe80::", "multicast ff00::/8"]
            .iter()
            .all(|route| routes.contains(route))
        {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{device} does not get ready");
}

#[allow(unsafe_code)]
fn send_frame(device: &str, frame: &[u8]) {
    use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};
    let socket = Socket::new(Domain::PACKET, Type::RAW, None).unwrap();
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: the storage is as large as every address type, and zeroed.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as libc::sa_family_t;
    link.sll_ifindex = nix::net::if_::if_nametoindex(device).unwrap() as i32;
    // SAFETY: the storage holds a sockaddr_ll, and that is its length.
    let address = unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) };
    socket.send_to(frame, &address).unwrap();
}

fn ping(targets: &[&str]) -> Prober {
    Prober::new(&TrackKind::Ping { targets: addresses(targets) }, device("near")).unwrap().unwrap()
}

fn arp(targets: &[&str]) -> Prober {
    Prober::new(&TrackKind::Arp { targets: addresses(targets) }, device("near")).unwrap().unwrap()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn device(name: &str) -> Via {
    Via::Device(name.to_string())
}

/// Starts a round and waits for so many results, or for a second and a half.
fn round(prober: &mut Prober, number: u32, count: usize) -> Vec<ProbeResult> {
    let mut out = Vec::new();
    prober.start(number, now(), &mut out);
    let missing = count.saturating_sub(out.len());
    out.extend(collect(prober, missing));
    out.sort_by_key(|result| result.target);
    out
}

fn collect(prober: &mut Prober, count: usize) -> Vec<ProbeResult> {
    let mut out = Vec::new();
    let end = Instant::now() + Duration::from_millis(1500);
    while out.len() < count && Instant::now() < end {
        if is_readable(prober, 100) {
            prober.ready(now(), &mut out);
        }
    }
    out
}

fn is_readable(prober: &Prober, timeout_ms: u16) -> bool {
    let mut fds = [PollFd::new(prober.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(timeout_ms)).unwrap() > 0
}

/// Whether it has nothing to take in any more, after a few turns of the loop.
///
/// Not at once: for the moment in which another test forks, its child holds our closed sockets open.
fn becomes_quiet(prober: &mut Prober) -> bool {
    (0..50).any(|_| {
        thread::sleep(Duration::from_millis(10));
        prober.ready(now(), &mut Vec::new());
        !is_readable(prober, 0)
    })
}

/// How many descriptors a prober waits for.
fn watched(prober: &Prober) -> usize {
    let path = format!("/proc/self/fdinfo/{}", prober.as_fd().as_raw_fd());
    std::fs::read_to_string(path).unwrap().lines().filter(|line| line.starts_with("tfd:")).count()
}

fn answered(results: &[ProbeResult]) -> Vec<u16> {
    let answered = results.iter().filter(|result| matches!(result.outcome, Outcome::Answered(_)));
    answered.map(|result| result.target).collect()
}

fn failures(results: &[ProbeResult]) -> Vec<Failure> {
    let failure = |result: &ProbeResult| match result.outcome {
        Outcome::Failed(failure) => Some(failure),
        Outcome::Answered(_) => None,
    };
    results.iter().filter_map(failure).collect()
}

/// Microseconds on a clock that never steps.
fn now() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    Duration::from(time).as_micros() as u64
}
