//! `gwha::exec` and `gwha::reconcile` against the running kernel.

#[macro_use]
mod namespace;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gwha::config::model::{
    Actions, AnnounceSchedule, Base, Config, Group, GroupId, Instance, InstanceId, LinkId, LinkRef, Mode,
    Preempt, Routers, Vip,
};
use gwha::engine::{Addresses, ApplyOutcome, Epoch, Instant, LinkCondition};
use gwha::exec::announce::Announcer;
use gwha::exec::kernel::{Kernel, Read};
use gwha::exec::links::{Device, Links};
use gwha::exec::record_file::RecordFile;
use gwha::netlink::{
    Address, AddressFlags, Existing, Family, Groups, IfIndex, IfName, Label, Lifetimes, Mirror, Prefix,
    Protocol, Scope, Socket,
};
use gwha::reconcile::{
    Desired, Hands, MARK, Observed, Op, Owner, Placed, Reconciler, SeenAddress, Standing, WantedAddress, plan,
};
use gwha::wire::arp::Arp;
use gwha::wire::ethernet::{self, Mac, ethertype};
use gwha::wire::icmp6::{Flags, NeighborAdvertisement, Received};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket};
use proptest::prelude::*;

use namespace::ip;

const NOW: Instant = Instant::from_micros(1_000_000);

fn later(ms: u64) -> Instant {
    NOW.after(Duration::from_millis(ms))
}

fn name(text: &str) -> IfName {
    IfName::new(text).expect("a name")
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').expect("ADDRESS/LENGTH");
    Prefix::new(address.parse().expect("an address"), length.parse().expect("a length")).expect("it fits")
}

/// `lan0` with a peer `lan1`, both up.
fn veth() {
    ip("link add lan0 type veth peer name lan1");
    ip("link set lan0 up");
    ip("link set lan1 up");
    let end = std::time::Instant::now() + Duration::from_secs(5);
    while !ip("-o link show lan0").contains("state UP") {
        assert!(std::time::Instant::now() < end, "the cable never came up");
    }
}

fn kernel_with(file: &Path) -> (Kernel, gwha::reconcile::Record) {
    let (file, record) = RecordFile::open(file, Some("boot"));
    (Kernel::open(file, NOW).expect("netlink"), record)
}

fn kernel() -> Kernel {
    kernel_with(Path::new("/nonexistent/owned")).0
}

/// Waits until the kernel has news, and takes them in.
fn await_news(kernel: &mut Kernel) {
    let mut fds = [PollFd::new(kernel.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, 5000u16), Ok(1), "the kernel has news within 5 s");
    assert_eq!(kernel.read(NOW), Read::News);
}

fn seen(mirror: &Mirror) -> BTreeSet<String> {
    let line = |address: &Address| {
        let link = mirror.link(address.index).expect("its device is known");
        format!("{} {} {:?} {:?}", link.name, address.prefix, address.flags, address.protocol)
    };
    mirror.addresses().map(line).collect()
}

fn on(mirror: &Mirror, device: &str) -> Vec<String> {
    let index = mirror.link_named(name(device)).expect("the device is there").index;
    let all = mirror.addresses_on(index).iter().map(|address| address.prefix.to_string());
    all.filter(|text| !text.starts_with("fe80")).collect()
}

/// One group with these virtual addresses on the device `lan0`.
fn config(vips: &[&str]) -> Config {
    let vips = vips.iter().map(|text| {
        let (text, label) =
            text.split_once(' ').map_or((*text, None), |(text, label)| (text, Some(label.into())));
        Vip { address: prefix(text).address(), prefix: Some(prefix(text).length()), label }
    });
    let instance = Instance {
        name: "lan".into(),
        link: LinkId(0),
        family: gwha::wire::types::Family::V4,
        vrid: gwha::wire::types::Vrid::new(1).expect("not 0"),
        version: gwha::wire::types::Version::V3,
        interval: gwha::wire::types::Interval::DEFAULT,
        auth: gwha::wire::vrrp::Auth::None,
        mode: Mode::Unicast,
        routers: Routers::Listed(Vec::new()),
        vips: vips.collect(),
        hop_limit_min: 255,
        checksum: gwha::wire::vrrp::ChecksumForm::Message,
        accept_old_checksum: false,
        announce: AnnounceSchedule::default(),
        group: GroupId(0),
    };
    let group = Group {
        name: "lan".into(),
        instances: vec![InstanceId(0)],
        tracks: Vec::new(),
        base: Base::Own(100),
        preempt: Preempt::On,
        preempt_delay: Duration::ZERO,
        actions: Actions::default(),
    };
    Config {
        enabled: true,
        links: vec![LinkRef::Device("lan0".into())],
        instances: vec![instance],
        groups: vec![group],
        ..Config::idle()
    }
}

/// One life of the daemon, as far as addresses go.
struct Life {
    kernel: Kernel,
    reconciler: Reconciler,
    names: Vec<Option<IfName>>,
}

impl Life {
    fn begin(config: &Config, file: &Path) -> Life {
        let (kernel, record) = kernel_with(file);
        let mut reconciler = Reconciler::new(record, 1);
        reconciler.configure(config, &|_| (Addresses::Hold, Epoch(0)));
        Life { kernel, reconciler, names: vec![Some(name("lan0"))] }
    }

    fn role(&mut self, wanted: Addresses) {
        self.reconciler.set_role(GroupId(0), wanted, Epoch(1));
        self.settle(NOW);
    }

    fn settle(&mut self, now: Instant) {
        self.reconciler.settle(now, &self.names, &mut self.kernel);
    }

    fn outcome(&mut self) -> Option<ApplyOutcome> {
        self.reconciler.applied().first().map(|applied| applied.outcome)
    }
}

/// A namespace of its own for the other end of the cable.
struct Neighbour(Child);

impl Neighbour {
    /// Moves `lan1` there.
    fn with_lan1() -> Neighbour {
        let child = Command::new("unshare")
            .args(["-n", "sleep", "60"])
            .stdin(Stdio::null())
            .spawn()
            .expect("`unshare` is missing; install it with: apt-get install util-linux");
        let neighbour = Neighbour(child);
        let own = std::fs::read_link("/proc/self/ns/net").expect("/proc");
        let theirs = format!("/proc/{}/ns/net", neighbour.0.id());
        while std::fs::read_link(&theirs).is_ok_and(|theirs| theirs == own) {
            std::thread::sleep(Duration::from_millis(1));
        }
        ip(&format!("link set lan1 netns {}", neighbour.0.id()));
        neighbour.ip("link set lan1 up");
        neighbour
    }

    fn ip(&self, arguments: &str) -> String {
        let pid = self.0.id().to_string();
        let output = Command::new("nsenter")
            .args(["-t", &pid, "-n", "ip"])
            .args(arguments.split_whitespace())
            .output()
            .expect("`nsenter` is missing; install it with: apt-get install util-linux");
        assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Hears every frame on every device.
fn listen() -> OwnedFd {
    socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll)
        .expect("a socket")
}

/// The frames of this type that are heard until there are `enough`, without repetitions: a cable in one
/// namespace is heard at both ends. What is on its way takes a moment on a busy machine.
fn heard(socket: &OwnedFd, kind: u16, enough: impl Fn(&[Vec<u8>]) -> bool) -> Vec<Vec<u8>> {
    let end = std::time::Instant::now() + Duration::from_secs(5);
    let mut frames = Vec::new();
    while !enough(&frames) && std::time::Instant::now() < end {
        take_frames(socket, kind, &mut frames);
        std::thread::yield_now();
    }
    frames
}

fn take_frames(socket: &OwnedFd, kind: u16, frames: &mut Vec<Vec<u8>>) {
    let mut buffer = [0; 2048];
    while let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
        let frame = buffer[..length].to_vec();
        let is_of_kind = ethernet::Header::parse(&frame).is_some_and(|(header, _)| header.ethertype == kind);
        if is_of_kind && !frames.contains(&frame) {
            frames.push(frame);
        }
    }
}

fn device(text: &str) -> Device {
    let mut links = Links::default();
    links.set_names(vec![Some(name(text))]);
    links.device(kernel().mirror(), LinkId(0)).expect("the device is there")
}

namespace_tests! {
    a_master_has_its_addresses_at_once_and_a_backup_has_not => {
        veth();
        ip("address add 192.0.2.2/24 broadcast + dev lan0");
        let dir = tempfile::tempdir().expect("a directory");
        let mut life = Life::begin(&config(&["192.0.2.1/24 vip", "2001:db8::1/64"]), &dir.path().join("owned"));

        life.role(Addresses::Present);

        assert_eq!(life.outcome(), Some(ApplyOutcome::Complete));
        assert_eq!(on(kernel().mirror(), "lan0"), ["192.0.2.2/24", "192.0.2.1/32", "2001:db8::1/64"]);
        assert!(ip("address show dev lan0").contains("192.0.2.1/32 scope global noprefixroute lan0:vip"));
        assert!(ip("-6 address show dev lan0").contains("2001:db8::1/64 scope global nodad deprecated"));

        life.role(Addresses::Absent);

        assert_eq!(on(kernel().mirror(), "lan0"), ["192.0.2.2/24"]);
    }

    an_address_without_the_routers_own_makes_its_network_reachable => {
        veth();
        let dir = tempfile::tempdir().expect("a directory");
        let mut life = Life::begin(&config(&["192.0.2.1/24"]), &dir.path().join("owned"));

        life.role(Addresses::Present);

        assert!(ip("address show dev lan0").contains("192.0.2.1/24 brd 192.0.2.255 scope global lan0"));
        assert!(ip("route").contains("192.0.2.0/24 dev lan0 proto kernel scope link src 192.0.2.1"));
    }

    the_routers_own_address_survives_that_it_came_second => {
        veth();
        let dir = tempfile::tempdir().expect("a directory");
        let mut life = Life::begin(&config(&["192.0.2.1/24"]), &dir.path().join("owned"));
        life.role(Addresses::Present);

        ip("address add 192.0.2.2/24 dev lan0");
        await_news(&mut life.kernel);
        life.settle(NOW);

        assert_eq!(life.outcome(), Some(ApplyOutcome::Complete));
        let all: BTreeSet<_> = on(kernel().mirror(), "lan0").into_iter().collect();
        assert_eq!(all, ["192.0.2.1/32", "192.0.2.2/24"].map(String::from).into());
        assert!(ip("route").contains("192.0.2.0/24 dev lan0 proto kernel scope link src 192.0.2.2"));
    }

    what_a_stranger_removes_is_back_with_the_news_of_it => {
        veth();
        ip("address add 192.0.2.2/24 dev lan0");
        let dir = tempfile::tempdir().expect("a directory");
        let mut life = Life::begin(&config(&["192.0.2.1/24", "2001:db8::1/64"]), &dir.path().join("owned"));
        life.role(Addresses::Present);

        for address in ["192.0.2.1/32", "2001:db8::1/64"] {
            ip(&format!("address del {address} dev lan0"));
            while on(life.kernel.mirror(), "lan0").iter().any(|seen| seen == address) {
                await_news(&mut life.kernel);
            }
            life.settle(NOW);
            assert!(on(kernel().mirror(), "lan0").iter().any(|seen| seen == address), "{address}");
        }
        assert_eq!(life.outcome(), Some(ApplyOutcome::Complete));
    }

    what_a_stranger_has_put_there_is_left_alone => {
        veth();
        ip("address add 192.0.2.1/24 dev lan0");
        let dir = tempfile::tempdir().expect("a directory");
        let mut life = Life::begin(&config(&["192.0.2.1/24"]), &dir.path().join("owned"));

        life.role(Addresses::Present);
        assert_eq!(life.outcome(), Some(ApplyOutcome::Complete));
        assert_eq!(life.reconciler.rows(NOW).next().expect("a row").observed, "foreign");
        life.role(Addresses::Absent);

        assert_eq!(on(kernel().mirror(), "lan0"), ["192.0.2.1/24"]);
    }

    a_race_for_an_address_that_a_stranger_wins_is_no_failure => {
        veth();
        let dir = tempfile::tempdir().expect("a directory");
        let mut life = Life::begin(&config(&["192.0.2.1/24"]), &dir.path().join("owned"));
        // The copy does not know it yet when the role comes.
        ip("address add 192.0.2.1/24 dev lan0");

        life.role(Addresses::Present);

        assert_eq!(life.outcome(), Some(ApplyOutcome::Complete));
        assert_eq!(life.reconciler.next_deadline(), None);
    }

    what_a_killed_daemon_left_stays_until_the_role_is_known => {
        veth();
        ip("address add 192.0.2.2/24 dev lan0");
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("owned");
        for (wanted, left) in [
            (Addresses::Present, &["192.0.2.2/24", "192.0.2.1/32"][..]),
            (Addresses::Absent, &["192.0.2.2/24"]),
        ] {
            let mut killed = Life::begin(&config(&["192.0.2.1/24"]), &file);
            killed.role(Addresses::Present);
            drop(killed);

            let mut life = Life::begin(&config(&["192.0.2.1/24"]), &file);
            life.settle(NOW);
            assert_eq!(on(kernel().mirror(), "lan0"), ["192.0.2.2/24", "192.0.2.1/32"]);
            life.role(wanted);
            assert_eq!(on(kernel().mirror(), "lan0"), left);
        }
    }

    what_a_killed_daemon_left_of_another_configuration_goes => {
        veth();
        ip("address add 192.0.2.2/24 dev lan0");
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("owned");
        let mut killed = Life::begin(&config(&["192.0.2.1/24"]), &file);
        killed.role(Addresses::Present);
        drop(killed);

        let mut life = Life::begin(&config(&["192.0.2.9/24"]), &file);
        life.settle(NOW);

        assert_eq!(on(kernel().mirror(), "lan0"), ["192.0.2.2/24"]);
    }

    two_daemons_of_one_machine_leave_each_other_alone => {
        veth();
        ip("address add 192.0.2.2/24 dev lan0");
        let dir = tempfile::tempdir().expect("a directory");
        let mut one = Life::begin(&config(&["192.0.2.1/24"]), &dir.path().join("one"));
        let mut two = Life::begin(&config(&["192.0.2.9/24"]), &dir.path().join("two"));
        one.role(Addresses::Present);
        two.role(Addresses::Present);
        await_news(&mut one.kernel);
        one.settle(NOW);

        assert_eq!(on(kernel().mirror(), "lan0"), ["192.0.2.2/24", "192.0.2.1/32", "192.0.2.9/32"]);
    }

    a_device_that_is_made_anew_gets_the_addresses_with_the_news_of_it => {
        veth();
        let dir = tempfile::tempdir().expect("a directory");
        let mut life = Life::begin(&config(&["192.0.2.1/24"]), &dir.path().join("owned"));
        life.role(Addresses::Present);

        ip("link del lan0");
        await_news(&mut life.kernel);
        life.settle(NOW);
        assert_eq!(life.outcome(), Some(ApplyOutcome::Complete));
        veth();
        await_news(&mut life.kernel);
        life.settle(NOW);

        assert_eq!(on(kernel().mirror(), "lan0"), ["192.0.2.1/24"]);
    }

    the_copy_is_the_kernels_state_after_any_history => {
        let mut kernel = kernel();
        veth();
        for step in 0..30 {
            ip("link add br0 type bridge");
            ip("link set br0 up");
            ip("link set lan1 master br0");
            ip(&format!("address add 10.0.{step}.1/24 dev br0"));
            ip(&format!("address add 10.0.{step}.2/24 dev br0"));
            ip(&format!("address add 10.1.{step}.1/24 dev lan0"));
            ip(&format!("address add 2001:db8:{step}::1/64 dev lan0"));
            if step % 3 == 0 {
                ip(&format!("address del 10.0.{step}.1/24 dev br0"));
                ip("link set lan0 down");
                ip("link set lan0 up");
            }
            if step < 29 {
                ip("link del br0");
            }
        }
        std::thread::sleep(Duration::from_millis(300));
        while kernel.read(NOW) == Read::News {}

        let fresh = self::kernel();
        let mut wanted = seen(fresh.mirror());
        let mut have = seen(kernel.mirror());
        // Duplicate detection may end between the two looks.
        for all in [&mut wanted, &mut have] {
            all.retain(|line| !line.contains("fe80"));
        }
        assert_eq!(have, wanted);
        let links = |kernel: &Kernel| -> Vec<_> {
            kernel.mirror().links().map(|link| (link.index, link.name, link.master, link.port, link.carrier)).collect()
        };
        assert_eq!(links(&kernel), links(&fresh));
    }

    a_flood_of_news_ends_in_a_fresh_copy => {
        veth();
        let mut kernel = kernel();
        let index = kernel.mirror().link_named(name("lan0")).expect("it is there").index;
        let mut socket = Socket::open(Groups::NONE).expect("a socket");
        let mut change = |text: &str, times: usize| {
            let address = address_on(index, prefix(text), None, Protocol(1));
            for _ in 0..times {
                socket.request(&address.add(Existing::Refuse)).expect("added");
                socket.request(&address.delete()).expect("removed");
            }
            socket.request(&address.add(Existing::Refuse)).expect("added");
        };
        // That the first address goes waits to be read, that it comes back is lost.
        change("192.0.2.7/32", 1);
        change("192.0.2.8/32", 3000);
        ip("address del 192.0.2.7/32 dev lan0");
        ip("address add 192.0.2.9/32 dev lan0");

        for _ in 0..3 {
            kernel.read(NOW);
            assert_eq!(on(kernel.mirror(), "lan0"), ["192.0.2.8/32", "192.0.2.9/32"]);
        }
    }

    everything_is_read_again_each_minute => {
        veth();
        let mut kernel = kernel();
        assert_eq!(kernel.read(later(59_999)), Read::Nothing);
        assert_eq!(kernel.next_deadline(), later(60_000));
        assert_eq!(kernel.read(later(60_000)), Read::News);
        assert_eq!(kernel.next_deadline(), later(120_000));
    }

    links_follow_cables_bridges_and_names => {
        let mut kernel = kernel();
        let mut links = Links::default();
        links.set_names(vec![Some(name("lan0")), Some(name("br0"))]);
        let mut expect = |step: &str, lan0: LinkCondition, br0: LinkCondition| {
            let wanted = [lan0, br0];
            let mut have = [0, 1].map(|id| gwha::exec::links::state(kernel.mirror(), links.names()[id]).condition);
            while have != wanted {
                let mut fds = [PollFd::new(kernel.as_fd(), PollFlags::POLLIN)];
                assert_eq!(poll(&mut fds, 5000u16), Ok(1), "{step}: {have:?} and not {wanted:?} for 5 s");
                kernel.read(NOW);
                have = [0, 1].map(|id| gwha::exec::links::state(kernel.mirror(), links.names()[id]).condition);
            }
        };
        use LinkCondition::{AdminDown, Missing, NoCarrier, NotForwarding, Up};
        expect("nothing", Missing, Missing);
        veth();
        expect("a cable", Up, Missing);
        ip("link set lan1 down");
        expect("the other end is off", NoCarrier, Missing);
        ip("link set lan0 down");
        expect("this end is off", AdminDown, Missing);
        ip("link add br0 type bridge");
        expect("a bridge", AdminDown, AdminDown);
        ip("link set br0 up");
        expect("a bridge without ports", AdminDown, NoCarrier);
        ip("link set lan1 master br0");
        ip("link set lan1 up");
        expect("its port has no carrier", AdminDown, NoCarrier);
        ip("link set lan0 up");
        expect("its port has carrier", Up, Up);
        ip("link set lan1 nomaster");
        expect("its port has left", Up, NoCarrier);
        ip("link set br0 type bridge stp_state 1");
        ip("link set lan1 master br0");
        expect("its port listens", Up, NotForwarding);
        ip("link set br0 down");
        expect("it is off", Up, AdminDown);
        ip("link del br0");
        expect("it is gone", Up, Missing);
        ip("link set lan0 down");
        ip("link set lan0 name br0");
        ip("link set br0 up");
        expect("another device has its name", Missing, Up);
        ip("link del br0");
        expect("nothing is left", Missing, Missing);
    }

    a_macvlan_follows_the_bridge_below_it => {
        let mut kernel = kernel();
        ip("link add br0 type bridge");
        ip("link set br0 up");
        ip("link add wan0 link br0 type macvlan mode bridge");
        ip("link set wan0 up");
        kernel.read(NOW);
        let condition = |kernel: &Kernel| gwha::exec::links::state(kernel.mirror(), Some(name("wan0"))).condition;
        assert_eq!(condition(&kernel), LinkCondition::NoCarrier);

        veth();
        ip("link set lan0 master br0");
        while condition(&kernel) != LinkCondition::Up {
            await_news(&mut kernel);
        }
    }

    announcements_are_heard_and_believed => {
        veth();
        let neighbour = Neighbour::with_lan1();
        neighbour.ip("address add 192.0.2.9/24 dev lan1");
        neighbour.ip("address add 2001:db8::9/64 dev lan1 nodad");
        let (v4, v6): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        for vip in [v4, v6] {
            neighbour.ip(&format!("neighbour add {vip} lladdr 02:00:00:00:00:99 dev lan1 nud reachable"));
        }

        let unsent = Announcer::open().expect("a socket").announce(&device("lan0"), &[v4, v6]);

        assert_eq!(unsent, []);
        let mac = device("lan0").mac.expect("a veth has one").to_string();
        for vip in [v4, v6] {
            let entry = format!("{vip} lladdr {mac} ");
            let end = std::time::Instant::now() + Duration::from_secs(5);
            while !neighbour.ip(&format!("neighbour show {vip} dev lan1")).contains(&entry) {
                assert!(std::time::Instant::now() < end, "{}", neighbour.ip("neighbour"));
            }
        }
    }

    announcements_say_whether_this_is_a_router => {
        veth();
        let socket = listen();
        let vip = "2001:db8::1".parse().expect("an address");
        let mut announcer = Announcer::open().expect("a socket");
        for (forwarding, flags) in [("0", Flags::OVERRIDE), ("1", Flags::OVERRIDE | Flags::ROUTER)] {
            std::fs::write("/proc/sys/net/ipv6/conf/lan0/forwarding", forwarding).expect("written");
            take_frames(&socket, ethertype::IPV6, &mut Vec::new());

            assert_eq!(announcer.announce(&device("lan0"), &[IpAddr::V6(vip)]), []);

            let parse = |frame: &Vec<u8>| {
                let message = frame.get(ethernet::HEADER_LEN + 40..)?;
                let all = "ff02::1".parse().ok()?;
                NeighborAdvertisement::parse(message, Received::Frame { source: vip, destination: all })
            };
            let frames = heard(&socket, ethertype::IPV6, |frames| frames.iter().any(|frame| parse(frame).is_some()));
            let advertised: Vec<_> = frames.iter().filter(|frame| parse(frame).is_some()).collect();
            let expected = NeighborAdvertisement { target: vip, flags, link_address: device("lan0").mac };
            assert_eq!(advertised.iter().filter_map(|frame| parse(frame)).collect::<Vec<_>>(), [expected]);
            let (hop_limit, destination) = (advertised[0][21], &advertised[0][..6]);
            assert_eq!((hop_limit, destination), (255, &[0x33, 0x33, 0, 0, 0, 1][..]));
        }
    }

    announcements_carry_the_devices_own_address => {
        veth();
        ip("link add wan0 link lan0 address 02:00:00:00:00:77 type macvlan mode bridge");
        ip("link set wan0 up");
        let socket = listen();
        let vip = "192.0.2.1".parse().expect("an address");

        let unsent = Announcer::open().expect("a socket").announce(&device("wan0"), &[IpAddr::V4(vip)]);

        assert_eq!(unsent, []);
        let sent: Vec<_> = heard(&socket, ethertype::ARP, |frames| !frames.is_empty())
            .iter()
            .filter_map(|frame| Arp::parse(&frame[ethernet::HEADER_LEN..]))
            .collect();
        assert_eq!(sent, [Arp::gratuitous(Mac([2, 0, 0, 0, 0, 0x77]), vip)]);
    }

    an_announcement_that_can_not_be_sent_is_returned => {
        veth();
        let lan0 = device("lan0");
        let vips: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let mut announcer = Announcer::open().expect("a socket");
        let mut errors = |device: &Device| -> Vec<_> {
            announcer.announce(device, &vips).iter().map(|unsent| (unsent.address, unsent.errno)).collect()
        };

        ip("link set lan0 down");
        assert_eq!(errors(&lan0), vips.map(|vip| (vip, Errno::ENETDOWN)));
        ip("link del lan0");
        assert_eq!(errors(&lan0), vips.map(|vip| (vip, Errno::ENXIO)));
        assert_eq!(errors(&Device { mac: None, ..lan0 }), []);
    }

    plans_come_out_on_the_kernel_as_on_paper => {
        veth();
        let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
        let cases = (proptest::collection::vec(any_seen(), 0..8), any_desired());
        proptest::test_runner::TestRunner::new(config)
            .run(&cases, |(seen, desired)| carry_out(&seen, &desired))
            .expect("the kernel does what the plan needs");
    }
}

/// Puts `seen` on `lan0`, carries out the plan for `desired`, and looks at what came of it.
fn carry_out(seen: &[(Prefix, Owner)], desired: &[(Prefix, Addresses)]) -> Result<(), TestCaseError> {
    ip("address flush dev lan0");
    std::fs::write("/proc/sys/net/ipv4/conf/lan0/promote_secondaries", "0").expect("written");
    let index = kernel().mirror().link_named(name("lan0")).expect("it is there").index;
    let mut socket = Socket::open(Groups::NONE).expect("a socket");
    for (prefix, owner) in seen {
        let protocol = if *owner == Owner::Ours { MARK } else { Protocol(104) };
        let _ = socket.request(&address_on(index, *prefix, None, protocol).add(Existing::Refuse));
    }
    let wish = |(prefix, wanted): &(Prefix, Addresses)| {
        let (address, length) = (prefix.address(), Some(prefix.length()));
        WantedAddress { device: index, address, length, label: Label::new("lan0:vip"), wanted: *wanted }
    };
    let mut desired = Desired { addresses: desired.iter().map(wish).collect() };
    for entry in &mut desired.addresses {
        entry.label = entry.label.filter(|_| entry.address.is_ipv4());
    }
    let mut kernel = kernel();
    let strangers = |observed: &Observed| -> Vec<_> {
        let all = observed.addresses.iter().filter(|seen| seen.owner == Owner::Stranger);
        let mut all: Vec<_> = all.map(|seen| seen.placed.prefix).collect();
        all.sort();
        all
    };
    let before = strangers(&observed(kernel.mirror(), index));

    for op in plan(&desired, &observed(kernel.mirror(), index)) {
        prop_assert_eq!(kernel.take(&op), Ok(()), "{:?}", op);
    }

    let after = observed(self::kernel().mirror(), index);
    prop_assert_eq!(plan(&desired, &after), Vec::<Op>::new());
    prop_assert_eq!(strangers(&after), before);
    for entry in &desired.addresses {
        let standing = after.standing(index, entry.address);
        match entry.wanted {
            Addresses::Present => prop_assert_ne!(standing, Standing::Absent),
            Addresses::Absent => prop_assert_ne!(standing, Standing::Ours),
            Addresses::Hold => {}
        }
    }
    Ok(())
}

fn observed(mirror: &Mirror, index: IfIndex) -> Observed {
    let own_label = Label::new("lan0");
    let judge = |address: &Address| SeenAddress {
        placed: Placed {
            device: index,
            prefix: address.prefix,
            label: address.label.filter(|label| Some(*label) != own_label),
        },
        owner: if address.protocol == MARK { Owner::Ours } else { Owner::Stranger },
    };
    Observed { addresses: mirror.addresses_on(index).iter().map(judge).collect() }
}

fn address_on(index: IfIndex, prefix: Prefix, label: Option<Label>, protocol: Protocol) -> Address {
    let flags = match prefix.family() {
        Family::V4 => AddressFlags::NONE,
        Family::V6 => AddressFlags::NODAD,
    };
    let (scope, broadcast, lifetimes) = (Scope::UNIVERSE, prefix.broadcast(), Lifetimes::FOREVER);
    Address { index, prefix, peer: None, flags, scope, label, broadcast, protocol, lifetimes }
}

/// Few addresses and lengths, so that they meet.
fn any_prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (1u32..6, prop_oneof![Just(24u8), Just(24), Just(29), Just(32)])
        .prop_map(|(host, length)| Prefix::new(IpAddr::V4((0xc000_0200 + host).into()), length));
    let v6 = (1u128..4, prop_oneof![Just(64u8), Just(126), Just(128)])
        .prop_map(|(host, length)| Prefix::new(IpAddr::V6(((0x2001_0db8 << 96) + host).into()), length));
    prop_oneof![3 => v4, 1 => v6].prop_map(|prefix| prefix.expect("it fits"))
}

fn any_seen() -> impl Strategy<Value = (Prefix, Owner)> {
    (any_prefix(), prop_oneof![Just(Owner::Ours), Just(Owner::Stranger)])
}

fn any_desired() -> impl Strategy<Value = Vec<(Prefix, Addresses)>> {
    let wanted =
        prop_oneof![3 => Just(Addresses::Present), 1 => Just(Addresses::Hold), 1 => Just(Addresses::Absent)];
    proptest::collection::vec((any_prefix(), wanted), 0..6).prop_map(|mut all| {
        all.sort_by_key(|(prefix, _)| prefix.address());
        all.dedup_by_key(|(prefix, _)| prefix.address());
        all
    })
}
