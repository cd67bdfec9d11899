//! What a guest of a pairing may say, with the right code and an evil mind.

use std::net::Ipv4Addr;

use gwha::pair::agree::{Gateway, agree, load};
use gwha::pair::code::Code;
use gwha::pair::message::{Facts, Message};
use gwha::peer::key::Key;

/// The content of a record. What can be read is read again as it is written, and what is agreed on with its sender is a
/// configuration for both.
pub fn messages(bytes: &[u8]) {
    let _ = Code::parse(&String::from_utf8_lossy(bytes));
    let Ok(message) = Message::decode(bytes) else { return };
    assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
    let Message::Hello(guest) = message else { return };
    let host = Facts {
        node: "host".into(),
        version: String::new(),
        address: (Ipv4Addr::new(192, 0, 2, 1), 24),
        network: Some("lan".into()),
        device: "br-lan".into(),
        serves_dhcp: true,
        key: None,
        config: None,
    };
    let vip = Ok(Gateway { address: Ipv4Addr::new(192, 0, 2, 254), length: 24, vrid: 51 });
    if let Ok(plan) = agree(&host, &guest, &vip, &Key::new([1; 32])) {
        assert!(load(&plan.config).is_ok(), "{}", plan.config);
    }
}
