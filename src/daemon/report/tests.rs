use std::fs;
use std::net::IpAddr;

use crate::config::model::{InstanceId, LinkId};
use crate::engine::{Action, Boot, Engine, Event, Instant, LinkCondition, LinkState, ProbeOutcome, Role};
use crate::netlink::IfName;
use crate::reconcile::Row;
use crate::status::{Health, Status};
use crate::ubus::{Data, Decimal, Table, Value};
use crate::wire::ethernet::Mac;
use crate::wire::types::{Interval, Version, Vrid};
use crate::wire::vrrp::{Auth, ChecksumForm, Outgoing, Packet};

use super::super::config_file::ConfigFile;
use super::super::conflicts::{Claim, Conflicts};
use super::super::files::Files;
use super::super::leases::Leases;
use super::super::sockets::Sockets;
use super::Sources;
use crate::daemon::peering::Peering;

const TEXT: &str = "
config gwha 'main'
    option enabled '1'
config instance 'lan'
    option device 'br-lan'
    option vrid '51'
    list router '192.168.1.2'
    list router '192.168.1.3'
    list vip '192.168.1.1/24'
config instance 'wan'
    option device 'eth1'
    option vrid '52'
    list router '10.0.0.2'
    list router '10.0.0.3'
    list vip '10.0.0.4'
config group 'gateway'
    list instance 'lan'
    list instance 'wan'
    list track 'carrier'
config track 'carrier'
    option type 'ping'
    option device 'eth1'
    list target '10.0.0.1'
    option fall '2'
    option weight '-30'
";

/// A node without hands: the test is its world.
struct Node {
    _dir: tempfile::TempDir,
    file: ConfigFile,
    engine: Engine,
    now: Instant,
    rows: Vec<Row>,
    carrier: ProbeOutcome,
    devices: [&'static str; 2],
    conflicts: Conflicts,
}

impl Node {
    /// The preferred router, just started, with both links up.
    fn new(text: &str) -> Node {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gwha");
        fs::write(&path, text).unwrap();
        let mut file = ConfigFile::new(path);
        file.read();
        let now = Instant::from_micros(5_000_000);
        let engine = Engine::new(file.config(&[]), &Boot::default(), now);
        let carrier = ProbeOutcome::Answered(core::time::Duration::from_micros(400));
        let (devices, conflicts) = (["br-lan", "eth1"], Conflicts::default());
        let mut node = Node { _dir: dir, file, engine, now, rows: Vec::new(), carrier, devices, conflicts };
        node.link(0, LinkCondition::Up, "192.168.1.2");
        node.link(1, LinkCondition::Up, "10.0.0.2");
        node
    }

    fn link(&mut self, id: u16, condition: LinkCondition, address: &str) {
        if usize::from(id) < self.engine.config().links.len() {
            let state = LinkState { condition, addresses: vec![address.parse().unwrap()] };
            self.step(Event::Link { link: LinkId(id), state: &state });
        }
    }

    fn step(&mut self, event: Event<'_>) {
        let mut actions = Vec::new();
        self.engine.step(self.now, event, &mut actions);
        for action in actions {
            if let Action::Probe { track, round } = action {
                let outcome = self.carrier;
                self.step(Event::Probe { track, round, target: 0, outcome });
            }
        }
    }

    /// Lets time pass; every timer is served when it is due.
    fn wait(&mut self, seconds: u64) {
        let end = Instant::from_micros(self.now.as_micros() + seconds * 1_000_000);
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.step(Event::Timeout);
        }
        self.now = end;
    }

    fn hear(&mut self, priority: u8) {
        let (source, destination): (IpAddr, IpAddr) = ([192, 168, 1, 3].into(), [192, 168, 1, 2].into());
        let mut bytes = Vec::new();
        let advert = Outgoing {
            version: Version::V3,
            vrid: Vrid::new(51).unwrap(),
            priority,
            interval: Interval::DEFAULT,
            auth: Auth::None,
            addresses: &["192.168.1.1".parse().unwrap()],
            checksum: ChecksumForm::PseudoHeader,
            source,
            destination,
        };
        advert.emit(&mut bytes);
        let packet = Packet { source, destination, hop_limit: 255, bytes: &bytes };
        self.step(Event::Vrrp { link: LinkId(0), packet });
    }

    fn status(&self) -> Status {
        let devices = self.devices.map(|name| IfName::new(name.as_bytes()));
        Sources {
            engine: &self.engine,
            file: &self.file,
            devices: &devices,
            rows: self.rows.clone(),
            sockets: &Sockets::default(),
            conflicts: &self.conflicts,
            leases: &Leases::open(self.file.path().with_file_name("leases"), None, self.now),
            files: &Files::new(self.now),
            peering: &Peering::new(Instant::from_micros(4_000_000)),
            bus: None,
            dhcp: Vec::new(),
            started: Instant::from_micros(4_000_000),
            now: self.now,
        }
        .status()
    }
}

fn codes(status: &Status) -> Vec<&str> {
    status.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

#[test]
fn master_at_rest_is_healthy_and_tells_what_it_does() {
    let mut node = Node::new(TEXT);
    node.wait(10);

    let status = node.status();

    assert_eq!((status.role.as_str(), status.health), ("master", Health::Healthy), "{:?}", status.warnings);
    assert_eq!(status.uptime.to_string(), "11.0");
    assert_eq!(status.config.state, "applied");
    let group = &status.groups[0];
    assert_eq!((group.name.as_str(), group.priority, group.base_priority), ("gateway", 100, Some(100)));
    assert_eq!(
        (&group.instances[..], &group.tracks[..]),
        (&["lan".into(), "wan".into()][..], &["carrier".into()][..])
    );
    let lan = &status.instances[0];
    assert_eq!((lan.device.as_deref(), lan.source.as_deref()), (Some("br-lan"), Some("192.168.1.2")));
    assert_eq!((lan.vips[0].as_str(), lan.vrid, lan.version), ("192.168.1.1/24", 51, 3));
    assert!(lan.counters.sent >= 5);
    assert_eq!(status.tracks[0].targets[0].rtt_ms, Some(Decimal::thousandths(400)));
}

#[test]
fn one_vrid_on_two_names_of_one_device_is_a_warning() {
    // `check` can't see it: which device an interface is, is known at run time only.
    let text = TEXT.replace("device 'eth1'", "interface 'wan'").replace("'52'", "'51'");
    let mut node = Node::new(&text);
    node.wait(10);
    assert_eq!(codes(&node.status()), Vec::<&str>::new());

    node.devices = ["br-lan", "br-lan"];

    let status = node.status();
    assert_eq!(codes(&status), ["vrid_twice"]);
    assert_eq!(status.warnings[0].message, "instances lan and wan: both are VRID 51 on br-lan");
}

#[test]
fn keys_of_the_contract_are_all_there() {
    let mut node = Node::new(TEXT);
    node.wait(10);
    node.hear(50);
    let data = Data::encode(&node.status()).unwrap();
    let status: Table = data.decode().unwrap();
    let has = |value: &Value, keys: &str| {
        for key in keys.split_whitespace() {
            assert!(value.get(key).is_some(), "no {key} in {value}");
        }
    };
    let first = |name: &str| status.get(name).unwrap().as_array().unwrap()[0].clone();

    let all = "version node uptime role maintenance since cause health warnings config groups instances \
               tracks actions peer leases files";
    has(&Value::Table(status.clone()), all);
    has(status.get("config").unwrap(), "state file errors");
    has(
        &first("groups"),
        "name role since cause epoch priority base_priority preempt instances tracks blocked_by",
    );
    has(
        &first("instances"),
        "name group interface device family vrid version mode state vips source peers advert_interval_ms \
         master_down_ms counters",
    );
    let peers = first("instances").get("peers").unwrap().as_array().unwrap()[0].clone();
    has(&peers, "address last_heard priority state");
    has(first("instances").get("counters").unwrap(), "sent received rejected");
    has(&first("tracks"), "name type state targets streak needed since effect");
    has(&first("tracks").get("targets").unwrap().as_array().unwrap()[0], "target state rtt_ms");
    has(status.get("peer").unwrap(), "connected");
}

#[test]
fn what_never_happened_is_absent() {
    let data = Data::encode(&Node::new(TEXT).status()).unwrap();
    let status: Table = data.decode().unwrap();

    let lan = &status.get("instances").unwrap().as_array().unwrap()[0];
    let peer = &lan.get("peers").unwrap().as_array().unwrap()[0];
    assert!(peer.get("last_heard").is_none());
    assert!(status.get("leases").unwrap().get("last_success").is_none());
}

#[test]
fn node_that_hears_no_master_and_is_none_is_critical() {
    let status = Node::new(TEXT).status();

    assert_eq!((status.role.as_str(), status.health), ("init", Health::Critical));
    assert_eq!(codes(&status), ["no_master"]);
}

#[test]
fn standby_is_healthy_while_its_master_is_heard_and_warns_of_the_member_that_is_not() {
    let mut node = Node::new(TEXT);
    node.hear(200);

    let status = node.status();

    assert_eq!(status.role, "backup");
    assert_eq!(status.groups[0].master.as_ref().unwrap().address, "192.168.1.3");
    assert_eq!((status.health, codes(&status)), (Health::Degraded, vec!["member_silent"]));
}

#[test]
fn second_master_is_critical_and_the_last_advert_of_the_old_one_is_not() {
    let mut node = Node::new(TEXT);
    node.hear(200);
    node.wait(1);
    node.hear(0);
    node.wait(3);
    assert_eq!(node.engine.role(crate::config::model::GroupId(0)).0, Role::Master);
    assert_eq!(codes(&node.status()), Vec::<&str>::new());

    node.wait(3);
    node.hear(50);

    let status = node.status();
    assert_eq!((status.health, codes(&status)), (Health::Critical, vec!["two_masters"]));
}

#[test]
fn master_without_a_carrier_is_degraded_and_one_with_a_dead_link_is_critical() {
    let mut node = Node::new(TEXT);
    node.wait(10);
    node.carrier = ProbeOutcome::Failed;
    node.wait(20);
    let status = node.status();
    assert_eq!((status.role.as_str(), status.health), ("master", Health::Degraded));
    assert_eq!(codes(&status), ["lowered", "track_down"]);
    assert_eq!(status.groups[0].priority, 70);

    node.link(0, LinkCondition::NoCarrier, "192.168.1.2");
    let status = node.status();
    assert_eq!((status.role.as_str(), status.health), ("master", Health::Critical));
    assert!(codes(&status).contains(&"serving_faulted"), "{:?}", status.warnings);
    assert_eq!((status.instances[0].state.as_str(), status.instances[1].state.as_str()), ("fault", "master"));
}

#[test]
fn address_that_cannot_be_applied_is_a_warning() {
    let mut node = Node::new(TEXT);
    node.wait(10);
    node.rows = vec![Row {
        kind: "address",
        name: "192.168.1.1 br-lan".into(),
        wanted: "present",
        observed: "absent",
        error: Some("out of memory".into()),
        retry_in: Some(core::time::Duration::from_millis(1500)),
    }];

    let status = node.status();

    assert_eq!(codes(&status), ["not_applied"]);
    assert_eq!(status.actions[0].retry_in, Some(Decimal::thousandths(1500)));
}

#[test]
fn claim_of_an_address_is_a_warning_unless_the_other_router_was_master_too() {
    let claim = Claim { instance: InstanceId(0), link: LinkId(0), mac: Mac([2, 0, 0, 0, 0, 9]) };
    let mut node = Node::new(TEXT);
    node.wait(10);
    node.hear(90);
    node.conflicts.note(claim, node.now);
    node.wait(20);
    assert_eq!(codes(&node.status()), Vec::<&str>::new());

    node.conflicts.note(claim, node.now);

    assert_eq!(codes(&node.status()), ["conflict"]);
    assert_eq!(node.status().warnings[0].message, "instance lan: 02:00:00:00:00:09 claims a virtual address");
}

#[test]
fn rejected_file_is_critical_only_while_nothing_is_in_force() {
    let mut node = Node::new("config nonsense");
    assert_eq!(node.status().health, Health::Critical);
    assert_eq!(codes(&node.status())[0], "config_rejected");

    node = Node::new(TEXT);
    node.wait(10);
    fs::write(node.file.path(), "config instance 'x'").unwrap();
    node.file.read();

    let status = node.status();
    assert_eq!((status.health, status.config.state.as_str()), (Health::Degraded, "rejected"));
    assert!(!status.config.errors.is_empty());
    assert_eq!(status.role, "master");
}

#[test]
fn disabled_daemon_says_so() {
    let status = Node::new("config gwha 'main'\n option enabled '0'\n").status();

    assert_eq!((status.health, codes(&status)), (Health::Degraded, vec!["disabled"]));
    assert_eq!(status.role, "init");
}
