//! netifd: what to ask OpenWrt's network daemon, and how to read its answers.
//!
//! `up` and `down` say what netifd shall want; it answers at once, and the interface follows in its own time: see
//! [`Interface`]. Both last until netifd restarts or reads another configuration, and write nothing to flash.

use crate::limits;
use crate::ubus::Data;
use crate::ubus::blobmsg::{Content, Fields};

use super::Request;

/// The object that tells of all interfaces and notifies of changes.
pub const INTERFACES: &str = "network.interface";

/// An interface, as netifd sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its section in `/etc/config/network`.
    pub name: String,
    /// It has its addresses.
    pub up: bool,
    /// It is being brought up.
    pub pending: bool,
    /// Its device is there.
    pub available: bool,
    /// netifd wants it up: after `up`, or because it is configured so. `down` ends it.
    pub autostart: bool,
    /// The kernel device that carries its addresses; known only while it is up.
    pub l3_device: Option<String>,
    /// The kernel device below, that of a PPPoE connection for example.
    pub device: Option<String>,
    /// How it gets its addresses: `static`, `dhcp`, ...
    pub proto: Option<String>,
    /// What it was that kept it from coming up: the code of its first error. It stays when the interface is up.
    pub trouble: Option<String>,
}

/// Brings an interface up.
pub fn up(interface: &str) -> Request {
    of(interface, "up")
}

/// Brings an interface down, until it is brought up again.
pub fn down(interface: &str) -> Request {
    of(interface, "down")
}

/// Asks for all interfaces; the answer is for [`interfaces`].
pub fn dump() -> Request {
    Request { object: INTERFACES.into(), method: "dump", arguments: Data::EMPTY }
}

/// The interfaces in an answer to [`dump`]. What makes no sense is left out.
pub fn interfaces(answer: &Data) -> Vec<Interface> {
    let mut list = answer.fields().named("interface").map_or(Fields::new(&[]), Content::inside);
    let mut all = Vec::new();
    while let Some(field) = list.next_good() {
        if all.len() < limits::INTERFACES {
            all.extend(interface(field.content.inside()));
        }
    }
    all
}

fn of(interface: &str, method: &'static str) -> Request {
    Request { object: format!("{INTERFACES}.{interface}"), method, arguments: Data::EMPTY }
}

fn interface(mut members: Fields<'_>) -> Option<Interface> {
    let mut found = Interface::default();
    while let Some(member) = members.next_good() {
        // As text, which is compared by one call; bytes would be, one by one, in as much code.
        let flag = match core::str::from_utf8(member.name).unwrap_or_default() {
            "up" => &mut found.up,
            "pending" => &mut found.pending,
            "available" => &mut found.available,
            "autostart" => &mut found.autostart,
            name => {
                tell(&mut found, name, member.content)?;
                continue;
            }
        };
        *flag = member.content.flag().unwrap_or_default();
    }
    (!found.name.is_empty()).then_some(found)
}

/// Takes in what is told in words; `None` for a name that is none.
fn tell(interface: &mut Interface, name: &str, content: Content<'_>) -> Option<()> {
    let mut text = content.text();
    let place = match name {
        "interface" => {
            interface.name = text?.to_owned();
            return Some(());
        }
        "l3_device" => &mut interface.l3_device,
        "device" => &mut interface.device,
        "proto" => &mut interface.proto,
        "errors" => {
            let first = content.inside().next_good();
            text = first.and_then(|error| error.content.inside().named("code")).and_then(Content::text);
            &mut interface.trouble
        }
        _ => return Some(()),
    };
    *place = text.map(str::to_owned);
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::ubus::json;

    use super::*;

    fn data(text: &str) -> Data {
        Data::encode(&json::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn dump_of_netifd_is_understood() {
        // As OpenWrt 24.10 gives it, shortened.
        let answer = data(
            r#"{"interface":[
            {"interface":"lan","up":true,"pending":false,"available":true,"autostart":true,"dynamic":false,
             "uptime":21,"l3_device":"br-lan","proto":"static","device":"br-lan","updated":["addresses"],
             "metric":0,"ipv4-address":[{"address":"192.168.1.2","mask":24}],"route":[],"data":{}},
            {"interface":"wan","up":false,"pending":false,"available":true,"autostart":false,"dynamic":false,
             "proto":"pppoe","device":"eth1","data":{},"errors":[{"subsystem":"pppoe","code":"X"}]},
            {"up":true}, 7, {"interface":8}]}"#,
        );

        let [lan, wan] = &interfaces(&answer)[..] else { panic!("two interfaces") };

        assert_eq!((lan.name.as_str(), lan.up, lan.autostart), ("lan", true, true));
        assert_eq!(lan.l3_device.as_deref(), Some("br-lan"));
        assert_eq!((wan.name.as_str(), wan.up, wan.available, wan.autostart), ("wan", false, true, false));
        assert_eq!((wan.l3_device.as_deref(), wan.device.as_deref()), (None, Some("eth1")));
        assert_eq!(wan.proto.as_deref(), Some("pppoe"));
        assert_eq!((wan.trouble.as_deref(), &lan.trouble), (Some("X"), &None));
    }

    #[test]
    fn answer_that_is_something_else_has_no_interfaces() {
        for answer in ["{}", r#"{"interface":"lan"}"#, r#"{"interface":[["lan"]]}"#] {
            assert_eq!(interfaces(&data(answer)), [], "{answer}");
        }
        assert_eq!(interfaces(&Data::from_bytes(vec![0xff; 40])), []);
    }

    #[test]
    fn each_interface_is_an_object_of_its_own() {
        assert_eq!((up("wan").object.as_str(), up("wan").method), ("network.interface.wan", "up"));
        assert_eq!(down("wan").method, "down");
    }
}
