//! Bytes from the bus: attributes, tables, and whole conversations with a ubusd gone mad.

mod mad_ubusd;

use gwha::ubus::blob::{Attrs, Form, MAX_MESSAGE, Writer};
use gwha::ubus::inbox::Inbox;
use gwha::ubus::json::{self, Layout};
use gwha::ubus::{Data, Table, Value};

pub use mad_ubusd::session;

/// Attributes and messages: nothing is invented, and what was read can be written and read again.
pub fn blob(bytes: &[u8]) {
    let mut out = Writer::new(MAX_MESSAGE);
    let mut payload_bytes = 0;
    for attr in Attrs::new(bytes).flatten() {
        payload_bytes += attr.payload.len();
        if attr.form == Form::Plain {
            out.put(attr.id, attr.payload).expect("what was read is below the limit");
        }
    }
    assert!(payload_bytes <= bytes.len());

    let copy = out.into_bytes();
    let plain = Attrs::new(bytes).flatten().filter(|attr| attr.form == Form::Plain);
    assert!(plain.eq(Attrs::new(&copy).map(Result::unwrap)));

    assert_eq!(messages(bytes, bytes.len().max(1)), messages(bytes, 1 + bytes.len() % 7));
}

/// The messages in a stream that arrives in pieces, up to the first error.
fn messages(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut inbox = Inbox::default();
    let mut all = Vec::new();
    for chunk in bytes.chunks(piece) {
        inbox.push(chunk);
        loop {
            match inbox.next_message() {
                Ok(Some(message)) => all.push(format!("{:?} {:?}", message.header, message.attributes())),
                Ok(None) => break,
                Err(error) => {
                    all.push(error.to_string());
                    return all;
                }
            }
        }
    }
    all
}

/// Tables: what can be decoded can be encoded, and means the same as JSON text.
pub fn blobmsg(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Ok(value) = json::parse(text)
    {
        let again = json::to_string(&value, Layout::Pretty);
        assert_eq!(json::parse(&again).as_ref(), Ok(&value), "{again}");
        if let Value::Table(table) = value {
            table_survives(&table);
        }
    }
    let data = Data::from_bytes(bytes.to_vec());
    let fields = data.fields().count();
    assert!(fields <= bytes.len() / 4);
    if let Ok(table) = data.decode::<Table>() {
        assert_eq!(table.0.len(), fields);
        table_survives(&table);
    }
}

fn table_survives(table: &Table) {
    // Text that was not UTF-8 has grown, perhaps above the limit.
    let Ok(data) = Data::encode(table) else { return };
    let again: Table = data.decode().expect("what was encoded can be decoded");
    // By its debug form, because a double that is no number does not equal itself.
    assert_eq!(format!("{again:?}"), format!("{table:?}"));
    let text = data.to_json(Layout::Compact).expect("a table can be shown");
    if let Err(error) = json::parse(&text) {
        assert_eq!(error.what, "the same name twice", "{text}");
    }
}
