//! libubox' C code, to compare the ubus implementation with. Development only.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};

use gwha::ubus::blobmsg::{Content, Fields};
use gwha::ubus::{Table, Value};
use libubox_sys as c;

unsafe extern "C" {
    fn oracle_walk(members: *const c_void, length: usize, text: *mut c_char, room: usize);
    fn oracle_from_json(json: *const c_char, length: *mut usize) -> *mut u8;
    fn oracle_to_json(members: *const c_void, length: usize) -> *mut c_char;
    fn oracle_attributes(blob: *mut u8, length: usize, offsets: *mut c_long, lengths: *mut usize);
    fn oracle_free(memory: *mut c_void);
}

/// What libubox sees in the members of a table, as text: type, name and value of each, `!` for each that
/// is malformed.
pub fn walk(members: &[u8]) -> String {
    let mut text = vec![0u8; 1 << 16];
    // Aligned like a message that has come from a socket.
    let copy: Vec<u32> = words(members);
    // SAFETY: `copy` holds at least `members.len()` bytes, and `text` is as long as it says.
    unsafe { oracle_walk(copy.as_ptr().cast(), members.len(), text.as_mut_ptr().cast(), text.len()) };
    CStr::from_bytes_until_nul(&text).unwrap().to_str().unwrap().to_owned()
}

/// The same, as our own code sees it.
pub fn our_walk(members: &[u8]) -> String {
    let mut text = String::new();
    for field in Fields::new(members) {
        let Ok(field) = field else {
            text.push('!');
            continue;
        };
        text.push(char::from(b'0' + field.content.kind().wire()));
        text.push_str(&hex(field.name));
        text.push('=');
        text.push_str(&match field.content {
            Content::Null => String::new(),
            Content::Array(inside) | Content::Table(inside) => format!("({})", our_walk(inside)),
            Content::String(value) => hex(value),
            Content::Bool(value) => hex(&[value.into()]),
            Content::Int16(value) => hex(&value.to_be_bytes()),
            Content::Int32(value) => hex(&value.to_be_bytes()),
            Content::Int64(value) => hex(&value.to_be_bytes()),
            Content::Double(value) => hex(&value.to_bits().to_be_bytes()),
        });
        text.push(';');
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let padded = [bytes, &[0; 4]].concat();
    padded.chunks_exact(4).map(|chunk| u32::from_ne_bytes(chunk.try_into().unwrap())).collect()
}

/// The members that libubox makes of JSON text.
pub fn from_json(json: &str) -> Option<Vec<u8>> {
    let json = CString::new(json).ok()?;
    let mut length = 0;
    // SAFETY: `json` ends in a NUL; the result is null or `length` bytes that are ours to free.
    unsafe {
        let members = oracle_from_json(json.as_ptr(), &mut length);
        let copy = (!members.is_null()).then(|| std::slice::from_raw_parts(members, length).to_vec());
        oracle_free(members.cast());
        copy
    }
}

/// The JSON text that libubox makes of the members of a table, which must be sound.
pub fn to_json(members: &[u8]) -> Vec<u8> {
    // SAFETY: libubox copies the members; the result is a C string that is ours to free.
    unsafe {
        let text = oracle_to_json(members.as_ptr().cast(), members.len());
        let copy = CStr::from_ptr(text).to_bytes().to_vec();
        oracle_free(text.cast());
        copy
    }
}

/// The payloads of the ubus attributes 0 to 13 that libubox finds in a blob, its header included.
pub fn attributes(blob: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut copy = words(blob);
    let mut offsets = [0; 14];
    let mut lengths = [0; 14];
    // SAFETY: `copy` holds at least `blob.len()` bytes; there is room for 14 results.
    unsafe {
        oracle_attributes(copy.as_mut_ptr().cast(), blob.len(), offsets.as_mut_ptr(), lengths.as_mut_ptr());
    }
    let payload = |(offset, length): (c_long, usize)| {
        let start = usize::try_from(offset).ok()?;
        Some(blob[start..start + length].to_vec())
    };
    offsets.into_iter().zip(lengths).map(payload).collect()
}

/// The members of a table as libubox writes them.
pub fn encode(table: &Table) -> Vec<u8> {
    let mut buf =
        c::blob_buf { head: std::ptr::null_mut(), grow: None, buflen: 0, buf: std::ptr::null_mut() };
    // SAFETY: a zeroed buffer is what `blob_buf_init` wants; its head is valid until it is freed.
    unsafe {
        c::blob_buf_init(&mut buf, 0);
        table.iter().for_each(|(name, value)| add(&mut buf, name, value));
        let head: *const u8 = buf.head.cast();
        let word = u32::from_be_bytes(std::slice::from_raw_parts(head, 4).try_into().unwrap());
        let members = std::slice::from_raw_parts(head, (word & 0x00ff_ffff) as usize)[4..].to_vec();
        c::blob_buf_free(&mut buf);
        members
    }
}

fn add(buf: &mut c::blob_buf, name: &str, value: &Value) {
    match value {
        Value::Null => add_field(buf, 0, name, &[]),
        Value::Bool(value) => add_field(buf, 7, name, &[u8::from(*value)]),
        Value::Int(value) => match i32::try_from(*value) {
            Ok(short) => add_field(buf, 5, name, &short.to_be_bytes()),
            Err(_) => add_field(buf, 4, name, &value.to_be_bytes()),
        },
        Value::Double(value) => add_field(buf, 8, name, &value.to_bits().to_be_bytes()),
        Value::String(value) => {
            add_field(buf, 3, name, CString::new(value.as_str()).unwrap().as_bytes_with_nul())
        }
        Value::Array(elements) => add_nested(buf, name, true, |buf| {
            elements.iter().for_each(|element| add(buf, "", element));
        }),
        Value::Table(table) => add_nested(buf, name, false, |buf| {
            table.iter().for_each(|(name, value)| add(buf, name, value));
        }),
    }
}

fn add_field(buf: &mut c::blob_buf, kind: c_int, name: &str, value: &[u8]) {
    let name = CString::new(name).unwrap();
    // SAFETY: libubox copies name and value.
    let result =
        unsafe { c::blobmsg_add_field(buf, kind, name.as_ptr(), value.as_ptr().cast(), value.len() as u32) };
    assert_eq!(result, 0);
}

fn add_nested(buf: &mut c::blob_buf, name: &str, array: bool, fill: impl FnOnce(&mut c::blob_buf)) {
    let name = CString::new(name).unwrap();
    // SAFETY: the cookie goes back to the same buffer.
    unsafe {
        let cookie = c::blobmsg_open_nested(buf, name.as_ptr(), array);
        fill(buf);
        c::blob_nest_end(buf, cookie);
    }
}

#[cfg(test)]
mod tests;
