//! The daemon's sockets against the kernel: two network namespaces with a cable between them.

use std::net::IpAddr;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use gwha::config::model::{Config, InstanceId};
use gwha::daemon::clock;
use gwha::daemon::conflicts::{Conflicts, Seen};
use gwha::daemon::poller::{Poller, Source};
use gwha::daemon::sockets::{Buffer, Device, Received, Sockets};
use gwha::exec::announce::Announcer;
use gwha::exec::links;
use gwha::netlink::{IfIndex, IfName};
use gwha::wire::ethernet::Mac;
use nix::sched::{CloneFlags, unshare};

#[macro_use]
mod namespace;

use namespace::ip;

const NEAR_MAC: &str = "02:00:00:00:00:01";
const FAR_MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);

namespace_tests! {
    unicast_advert_leaves_from_the_chosen_address_with_hop_limit_255 => {
        let far = cable();
        for (near, far_address, vip) in [
            // 192.0.2.12 is the second address of its device.
            ("192.0.2.12", "192.0.2.2", "192.0.2.100"),
            ("fe80::1", "fe80::2", "fe80::100"),
            ("2001:db8::1", "2001:db8::2", "fe80::100"),
        ] {
            let text = instance("i", 7, &format!("list router '{near}'\n list router '{far_address}'\n list vip '{vip}'"));
            let (mut sender, mut receiver) = (Side::new(&text), far.side(&text));

            sender.send(0, near, 200);
            let got = receiver.receive();

            assert_eq!((got.source, got.destination), (address(near), address(far_address)));
            assert_eq!(got.hop_limit, 255);
            assert_eq!(&got.bytes[..4], [0x31, 7, 200, 1]);
        }
    }

    multicast_advert_reaches_its_group_and_not_its_sender => {
        let far = cable();
        for (near, far_address, vip, group) in [
            ("192.0.2.1", "192.0.2.2", "192.0.2.100", "224.0.0.18"),
            ("fe80::1", "fe80::2", "fe80::100", "ff02::12"),
        ] {
            let text = instance("i", 7, &format!(
                "option mode 'multicast'\n list router '{near}'\n list router '{far_address}'\n list vip '{vip}'"
            ));
            let (mut sender, mut receiver) = (Side::new(&text), far.side(&text));

            sender.send(0, near, 100);
            let got = receiver.receive();

            assert_eq!((got.source, got.destination), (address(near), address(group)));
            assert_eq!(got.hop_limit, 255);
            assert!(sender.poller.ready_now().unwrap().is_empty(), "it hears itself");
        }
    }

    all_instances_of_a_device_wake_the_daemon_once => {
        let far = cable();
        let text: String = (1..=20).map(|vrid| instance(&format!("i{vrid}"), vrid, &routers(vrid))).collect();
        let (mut sender, mut receiver) = (Side::new(&text), far.side(&text));

        for id in 0..20 {
            sender.send(id, "192.0.2.1", 100);
        }

        let first = receiver.receive();
        assert_eq!(first.bytes[1], 1);
        assert_eq!(receiver.poller.ready_now().unwrap(), [Source::Packets(0)]);
        let others: Vec<u8> = (1..20).map(|_| receiver.receive().bytes[1]).collect();
        assert_eq!(others, (2..=20).collect::<Vec<u8>>());
        assert!(receiver.poller.ready_now().unwrap().is_empty());
    }

    update_that_changes_nothing_keeps_the_socket_and_what_is_in_it => {
        let far = cable();
        let text = instance("i", 7, &routers(1));
        let (mut receiver, mut sender) = (Side::new(&text), far.side(&text));
        sender.send(0, "192.0.2.2", 100);
        receiver.wait();

        // The instance that is new on the device needs no socket of its own.
        receiver.send(0, "192.0.2.12", 100);
        receiver.configure(&(instance("j", 8, &routers(2)) + &text));

        assert_eq!(receiver.receive().bytes[1], 7);
        // A farewell after a reload still leaves from the old source, though the ids are others now.
        assert_eq!(receiver.sockets.last_source(InstanceId(1)), Some(address("192.0.2.12")));
    }

    device_that_was_made_anew_gets_a_new_socket => {
        let far = cable();
        let text = instance("i", 7, &routers(1));
        let mut receiver = Side::new(&text);
        ip("link delete near");
        connect(&far);

        receiver.configure(&text);
        let mut sender = far.side(&text);
        sender.send(0, "192.0.2.2", 90);

        assert_eq!(receiver.receive().bytes[..3], [0x31, 7, 90]);
    }

    instance_without_a_device_has_no_socket_and_says_so => {
        let mut side = Side::new(&instance("i", 7, &routers(1)).replace("'dev'", "'nonesuch'"));

        let result = side.sockets.advertise(&side.config, InstanceId(0), address("192.0.2.1"), 100);

        assert!(result.is_err());
        assert!(side.sockets.failure(InstanceId(0)).is_some());
    }

    advert_that_the_kernel_refuses_is_an_error_and_the_next_one_is_not => {
        let _far = cable();
        let mut side = Side::new(&instance("i", 7, &routers(1)));

        // No address of ours: the kernel must not send from it.
        let foreign = side.sockets.advertise(&side.config, InstanceId(0), address("192.0.2.77"), 100);
        assert!(foreign.is_err());
        ip("link set near down");
        assert!(side.sockets.advertise(&side.config, InstanceId(0), address("192.0.2.1"), 100).is_err());
        ip("link set near up");
        side.send(0, "192.0.2.1", 100);

        assert!(side.sockets.failure(InstanceId(0)).is_none());
    }

    foreign_claim_of_an_address_is_seen_and_other_chatter_is_not => {
        let far = cable();
        for (vip, near, far_address, other) in [
            ("192.0.2.100", "192.0.2.1", "192.0.2.2", "192.0.2.55"),
            ("fe80::100", "fe80::1", "fe80::2", "fe80::55"),
        ] {
            let text = instance("i", 7, &format!("list router '{near}'\n list router '{far_address}'\n list vip '{vip}'"));
            let mut poller = Poller::new().unwrap();
            let mut watch = Conflicts::default();
            watch.update(&config(&text, "near"), &|_| device("near"), &mut poller, clock::now());

            far.announce(address(other));
            thread::sleep(Duration::from_millis(50));
            assert!(poller.ready_now().unwrap().is_empty(), "{other} woke the daemon");
            far.announce(address(vip));

            assert_eq!(poller.wait().unwrap(), [Source::Conflicts(0)]);
            let Seen::Claim(claim) = watch.receive(0) else { panic!("{vip}: no claim") };
            assert_eq!((claim.instance, claim.mac), (InstanceId(0), FAR_MAC));
            assert_eq!(watch.receive(0), Seen::Nothing);
        }
    }
}

/// One node's sockets.
struct Side {
    config: Config,
    device: &'static str,
    sockets: Sockets,
    poller: Poller,
}

/// A packet that was received.
struct Got {
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    bytes: Vec<u8>,
}

impl Side {
    fn new(text: &str) -> Side {
        Side::on("near", text)
    }

    fn on(device: &'static str, text: &str) -> Side {
        let (sockets, poller) = (Sockets::default(), Poller::new().unwrap());
        let mut side = Side { config: config(text, device), device, sockets, poller };
        side.configure(text);
        side
    }

    fn configure(&mut self, text: &str) {
        self.config = config(text, self.device);
        let name = self.device;
        self.sockets.update(&self.config, &|_| device(name), &mut self.poller, clock::now());
    }

    fn send(&mut self, id: u16, source: &str, priority: u8) {
        self.sockets.advertise(&self.config, InstanceId(id), address(source), priority).unwrap();
    }

    /// Waits until a packet is there.
    fn wait(&mut self) {
        let begin = StdInstant::now();
        while self.poller.ready_now().unwrap().is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(10), "nothing arrives");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn receive(&mut self) -> Got {
        self.wait();
        let mut buffer = Buffer::new();
        match self.sockets.receive(0, &mut buffer) {
            Received::Packet(packet) => Got {
                source: packet.source,
                destination: packet.destination,
                hop_limit: packet.hop_limit,
                bytes: packet.bytes.to_vec(),
            },
            other => panic!("{other:?}"),
        }
    }
}

/// A thread in a namespace of its own: what it opens stays there.
struct Far {
    thread: i32,
    work: Sender<Box<dyn FnOnce() + Send>>,
}

impl Far {
    fn new() -> Far {
        let (work, jobs) = channel::<Box<dyn FnOnce() + Send>>();
        let (tell, told) = channel();
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            jobs.into_iter().for_each(|job| job());
        });
        Far { thread: told.recv().unwrap(), work }
    }

    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = channel();
        self.work.send(Box::new(move || drop(tell.send(job())))).unwrap();
        told.recv().expect("the job has not panicked")
    }

    fn side(&self, text: &str) -> Side {
        let text = text.to_owned();
        self.run(move || Side::on("far", &text))
    }

    fn announce(&self, address: IpAddr) {
        self.run(move || {
            let Device { index, name } = device("far").unwrap();
            let device = links::Device {
                index: IfIndex::new(index).unwrap(),
                name: IfName::new(name.as_bytes()).unwrap(),
                mac: Some(FAR_MAC),
            };
            assert!(Announcer::open().unwrap().announce(&device, &[address]).is_empty());
        });
    }
}

/// A cable from here to a namespace of its own, with addresses at both ends.
fn cable() -> Far {
    let far = Far::new();
    connect(&far);
    far
}

fn connect(far: &Far) {
    let thread = far.thread;
    ip(&format!("link add near address {NEAR_MAC} type veth peer name far address {FAR_MAC} netns {thread}"));
    far.run(|| addresses("far", &["192.0.2.2/24", "2001:db8::2/64", "fe80::2/64"]));
    addresses("near", &["192.0.2.1/24", "192.0.2.12/24", "2001:db8::1/64", "fe80::1/64"]);
}

fn addresses(device: &str, addresses: &[&str]) {
    ip(&format!("link set {device} addrgenmode none"));
    ip(&format!("link set {device} up"));
    for address in addresses {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        ip(&format!("address add {address} dev {device} {nodad}"));
    }
}

fn device(name: &str) -> Option<Device> {
    let index = nix::net::if_::if_nametoindex(name).ok()?;
    Some(Device { index, name: IfName::new(name)? })
}

fn routers(vrid: u8) -> String {
    format!(
        "list router '192.0.2.1'\n list router '192.0.2.2'\n list vip '192.0.2.{}'",
        100 + u16::from(vrid)
    )
}

fn instance(name: &str, vrid: u8, options: &str) -> String {
    format!("config instance '{name}'\n option device 'dev'\n option vrid '{vrid}'\n {options}\n")
}

fn config(text: &str, device: &str) -> Config {
    let text =
        format!("config gwha 'main'\n option enabled '1'\n{text}").replace("'dev'", &format!("'{device}'"));
    match gwha::config::load("test", text.as_bytes()) {
        Ok(loaded) => loaded.config,
        Err(rejected) => panic!("{rejected}"),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}
