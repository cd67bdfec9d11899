//! What the two routers say. Each message is a sealed record; its first frame says what it is, the others are its
//! fields. A field that is not known is skipped, so a later version can add some.

use std::net::Ipv4Addr;

use crate::peer::frame::{BODY_BYTES, Frame, Frames, Need};
use crate::peer::key::{KEY_BYTES, Key};
use crate::peer::message::clean;

/// Bytes of a configuration that can travel: several hundred lines fit a record.
pub const CONFIG_BYTES: usize = 48 << 10;

/// Characters of a reason: some sentences.
const REASON_CHARS: usize = 2000;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// What the guest has.
    Hello(Facts),
    /// What both will have.
    Plan(Plan),
    /// The guest has checked the plan, and can carry it out.
    Ready,
    /// The host has carried it out.
    Commit,
    /// The guest has, too.
    Done,
    /// Either side: it comes to nothing, and why.
    Refuse(String),
}

/// What a router has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Host name.
    pub node: String,
    /// Of its program.
    pub version: String,
    /// Its own address on the network of both, and the length of the subnet.
    pub address: (Ipv4Addr, u8),
    /// What `/etc/config/network` calls this network, if there is such a file.
    pub network: Option<String>,
    /// The kernel's name for its device.
    pub device: String,
    /// Whether its DHCP server serves there.
    pub serves_dhcp: bool,
    /// Its key, if it is not to be given up.
    pub key: Option<Key>,
    /// Its configuration, if it has one that is in use and not to be given up.
    pub config: Option<String>,
}

/// What both routers will have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The host's name.
    pub node: String,
    /// The key of the channel between them.
    pub key: Key,
    /// The configuration, the same on both.
    pub config: String,
}

/// What can't be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misunderstood;

const STEP: u8 = 1;
const NODE: u8 = 2;
const VERSION: u8 = 3;
const ADDRESS: u8 = 4;
const NETWORK: u8 = 5;
const DEVICE: u8 = 6;
const SERVES_DHCP: u8 = 7;
const KEY: u8 = 8;
/// In as many frames as it takes.
const CONFIG: u8 = 9;
const REASON: u8 = 10;

const HELLO: u8 = 1;
const PLAN: u8 = 2;
const READY: u8 = 3;
const COMMIT: u8 = 4;
const DONE: u8 = 5;
const REFUSE: u8 = 6;

impl Message {
    /// The content of a record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Fields(Vec::new());
        match self {
            Message::Hello(facts) => {
                out.put(STEP, &[HELLO]);
                facts.encode(&mut out);
            }
            Message::Plan(plan) => {
                out.put(STEP, &[PLAN]);
                out.put(NODE, plan.node.as_bytes());
                out.put(KEY, plan.key.bytes());
                out.put_long(CONFIG, plan.config.as_bytes());
            }
            Message::Ready => out.put(STEP, &[READY]),
            Message::Commit => out.put(STEP, &[COMMIT]),
            Message::Done => out.put(STEP, &[DONE]),
            Message::Refuse(why) => {
                out.put(STEP, &[REFUSE]);
                out.put(REASON, reason(why).as_bytes());
            }
        }
        out.0
    }

    /// Reads the content of a record.
    ///
    /// # Errors
    /// [`Misunderstood`] if it is cut wrongly, lacks a field that it needs, or has one that makes no sense.
    pub fn decode(content: &[u8]) -> Result<Message, Misunderstood> {
        let raw = Raw::read(content)?;
        Ok(match raw.step {
            HELLO => Message::Hello(raw.facts()?),
            PLAN => Message::Plan(Plan {
                node: raw.node,
                key: raw.key.ok_or(Misunderstood)?,
                config: raw.config.ok_or(Misunderstood)?,
            }),
            READY => Message::Ready,
            COMMIT => Message::Commit,
            DONE => Message::Done,
            REFUSE => Message::Refuse(raw.reason),
            _ => return Err(Misunderstood),
        })
    }
}

impl Facts {
    fn encode(&self, out: &mut Fields) {
        let (address, length) = self.address;
        let [a, b, c, d] = address.octets();
        out.put(NODE, self.node.as_bytes());
        out.put(VERSION, self.version.as_bytes());
        out.put(ADDRESS, &[a, b, c, d, length]);
        out.put(DEVICE, self.device.as_bytes());
        if let Some(network) = &self.network {
            out.put(NETWORK, network.as_bytes());
        }
        if self.serves_dhcp {
            out.put(SERVES_DHCP, &[]);
        }
        if let Some(key) = &self.key {
            out.put(KEY, key.bytes());
        }
        if let Some(config) = &self.config {
            out.put_long(CONFIG, config.as_bytes());
        }
    }
}

/// Fields on their way out.
struct Fields(Vec<u8>);

impl Fields {
    fn put(&mut self, kind: u8, body: &[u8]) {
        // Nothing but a configuration can be too long, and that comes in parts.
        let _ = Frame { kind, need: Need::Optional, body }.put(&mut self.0);
    }

    fn put_long(&mut self, kind: u8, body: &[u8]) {
        for part in body.chunks(BODY_BYTES) {
            self.put(kind, part);
        }
    }
}

/// All fields that any message has.
#[derive(Default)]
struct Raw {
    step: u8,
    node: String,
    version: String,
    address: Option<(Ipv4Addr, u8)>,
    network: Option<String>,
    device: Option<String>,
    serves_dhcp: bool,
    key: Option<Key>,
    config: Option<String>,
    reason: String,
}

impl Raw {
    fn read(content: &[u8]) -> Result<Raw, Misunderstood> {
        let (mut raw, mut config) = (Raw::default(), Vec::new());
        for frame in Frames::of(content) {
            let Frame { kind, need, body } = frame.map_err(|_| Misunderstood)?;
            match (kind, body) {
                (STEP, [step]) => raw.step = *step,
                (NODE, _) => raw.node = clean(text(body)?),
                (VERSION, _) => raw.version = clean(text(body)?),
                (ADDRESS, [a, b, c, d, length @ 1..=31]) => {
                    raw.address = Some((Ipv4Addr::new(*a, *b, *c, *d), *length));
                }
                (NETWORK, _) => raw.network = Some(word(body)?),
                (DEVICE, _) => raw.device = Some(word(body)?),
                (SERVES_DHCP, _) => raw.serves_dhcp = true,
                (KEY, _) => {
                    let bytes: [u8; KEY_BYTES] = body.try_into().map_err(|_| Misunderstood)?;
                    raw.key = Some(Key::new(bytes));
                }
                (CONFIG, _) => config.extend_from_slice(body),
                (REASON, _) => raw.reason = reason(text(body)?),
                (STEP | ADDRESS, _) => return Err(Misunderstood),
                _ if need == Need::Required => return Err(Misunderstood),
                _ => {}
            }
        }
        if config.len() > CONFIG_BYTES {
            return Err(Misunderstood);
        }
        if !config.is_empty() {
            raw.config = Some(text(&config)?.to_owned());
        }
        Ok(raw)
    }

    fn facts(self) -> Result<Facts, Misunderstood> {
        Ok(Facts {
            node: self.node,
            version: self.version,
            address: self.address.ok_or(Misunderstood)?,
            network: self.network,
            device: self.device.ok_or(Misunderstood)?,
            serves_dhcp: self.serves_dhcp,
            key: self.key,
            config: self.config,
        })
    }
}

fn text(bytes: &[u8]) -> Result<&str, Misunderstood> {
    core::str::from_utf8(bytes).map_err(|_| Misunderstood)
}

/// A name that goes into a configuration: printable, no longer than any that is allowed there.
fn word(bytes: &[u8]) -> Result<String, Misunderstood> {
    let is_printable = bytes.iter().all(|byte| byte.is_ascii_graphic());
    if !is_printable || bytes.is_empty() || bytes.len() > 31 {
        return Err(Misunderstood);
    }
    text(bytes).map(str::to_owned)
}

/// Words for people, in one line: they stand among our own.
fn reason(why: &str) -> String {
    why.chars().filter(|it| !it.is_control()).take(REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> Facts {
        Facts {
            node: "gw-b".into(),
            version: "0.1.0".into(),
            address: (Ipv4Addr::new(192, 0, 2, 3), 24),
            network: Some("lan".into()),
            device: "br-lan".into(),
            serves_dhcp: true,
            key: Some(Key::new([7; KEY_BYTES])),
            config: Some("config gwha 'main'\n".repeat(2000)),
        }
    }

    fn bare() -> Facts {
        Facts { network: None, serves_dhcp: false, key: None, config: None, ..facts() }
    }

    fn plan() -> Plan {
        Plan { node: "gw-a".into(), key: Key::new([9; KEY_BYTES]), config: "x".repeat(CONFIG_BYTES) }
    }

    #[test]
    fn messages_come_back_as_they_were_said() {
        let all = [
            Message::Hello(facts()),
            Message::Hello(bare()),
            Message::Plan(plan()),
            Message::Ready,
            Message::Commit,
            Message::Done,
            Message::Refuse("because of this".into()),
        ];
        for message in all {
            assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn longest_message_fits_a_record() {
        let longest = Facts { config: Some("x".repeat(CONFIG_BYTES)), ..facts() };
        assert!(Message::Hello(longest).encode().len() < crate::peer::frame::RECORD_BYTES - 16);
    }

    #[test]
    fn what_makes_no_sense_is_misunderstood() {
        let with = |kind: u8, body: &[u8]| {
            let mut out = Fields(Message::Hello(bare()).encode());
            out.put_long(kind, body);
            Message::decode(&out.0)
        };
        assert!(with(200, b"a later version's").is_ok());
        for (kind, body) in [
            (ADDRESS, &[1u8, 2, 3][..]),
            (ADDRESS, &[192, 0, 2, 1, 32]),
            (NETWORK, b"la n"),
            (NETWORK, b"lan\n"),
            (NETWORK, &[b'x'; 32]),
            (DEVICE, b""),
            (KEY, &[7; 31]),
            (NODE, &[0xff]),
            (STEP, &[9]),
            (CONFIG, &[b'x'; CONFIG_BYTES + 1]),
        ] {
            // An empty body in parts is no part at all.
            let mut out = Fields(Message::Hello(bare()).encode());
            match body.len() {
                0 => out.put(kind, body),
                _ => out.put_long(kind, body),
            }
            assert_eq!(Message::decode(&out.0), Err(Misunderstood), "{kind} {}", body.len());
        }
        let mut required = Message::Ready.encode();
        assert!(Frame { kind: 200, need: Need::Required, body: b"" }.put(&mut required));
        assert_eq!(Message::decode(&required), Err(Misunderstood));
        assert_eq!(Message::decode(&[]), Err(Misunderstood));
    }

    #[test]
    fn words_of_the_other_side_can_do_nothing_to_a_terminal() {
        let said = Message::Refuse("\x1b[2J\n".to_owned() + &"long ".repeat(1000));
        let Ok(Message::Refuse(why)) = Message::decode(&said.encode()) else { panic!("not understood") };
        assert!(why.starts_with("[2Jlong") && why.len() <= REASON_CHARS);
        let named = Message::Hello(Facts { node: "a\nb\x07".into(), ..bare() });
        let Ok(Message::Hello(facts)) = Message::decode(&named.encode()) else { panic!("not understood") };
        assert_eq!(facts.node, "ab");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content in any::<Vec<u8>>()) {
            let _ = Message::decode(&content);
        }

        #[test]
        fn no_change_of_a_byte_panics(place in 0usize..200, byte in any::<u8>()) {
            let mut content = Message::Hello(bare()).encode();
            let place = place % content.len();
            content[place] = byte;
            let _ = Message::decode(&content);
        }
    }
}
