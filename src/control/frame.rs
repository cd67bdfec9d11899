//! What goes over the control socket: a length of four bytes in network order, and that many bytes.
//!
//! A request is the length of the method's name in one byte, the name, and the arguments as a blobmsg table. An
//! answer is one byte of status: 0 and a blobmsg table, or a [`Failure::code`] and its text.

use crate::limits;
use crate::ubus::Data;

use super::{Answer, Failure};

/// A request, cut out of the bytes that have arrived so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// It is not complete yet.
    Incomplete,
    /// It can't become one: the other side does not speak this protocol.
    Malformed,
    /// Its content, and how many bytes it took.
    Complete {
        /// Everything behind the length.
        body: Vec<u8>,
        /// To be dropped from the front.
        consumed: usize,
    },
}

/// Looks for a frame of at most `limit` bytes at the front of `bytes`.
pub fn split(bytes: &[u8], limit: usize) -> Frame {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Frame::Incomplete };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length == 0 || length > limit {
        return Frame::Malformed;
    }
    match rest.get(..length) {
        Some(body) => Frame::Complete { body: body.to_vec(), consumed: length.saturating_add(4) },
        None => Frame::Incomplete,
    }
}

/// A request as bytes; `None` if it is too long.
pub fn request(method: &str, arguments: &Data) -> Option<Vec<u8>> {
    let name_length = u8::try_from(method.len()).ok()?;
    let body = [&[name_length], method.as_bytes(), arguments.as_bytes()].concat();
    wrap(body, limits::REQUEST_BYTES)
}

/// Method and arguments of a request's body.
pub fn parse_request(body: &[u8]) -> Option<(String, Data)> {
    let (length, rest) = body.split_first()?;
    let (method, arguments) = rest.split_at_checked(usize::from(*length))?;
    let method = core::str::from_utf8(method).ok()?;
    Some((method.to_owned(), Data::from_bytes(arguments.to_vec())))
}

/// An answer as bytes.
pub fn answer(answer: &Answer) -> Vec<u8> {
    let body = match answer {
        Ok(data) => [&[0], data.as_bytes()].concat(),
        Err(failure) => [&[failure.code()], failure.text().as_bytes()].concat(),
    };
    wrap(body, limits::ANSWER_BYTES)
        .or_else(|| wrap(vec![Failure::TooLong.code()], limits::ANSWER_BYTES))
        .unwrap_or_default()
}

/// The result in an answer's body, or the text of its failure.
pub fn parse_answer(body: &[u8]) -> Option<Result<Data, String>> {
    let (status, rest) = body.split_first()?;
    Some(match status {
        0 => Ok(Data::from_bytes(rest.to_vec())),
        _ => Err(String::from_utf8_lossy(rest).into_owned()),
    })
}

fn wrap(body: Vec<u8>, limit: usize) -> Option<Vec<u8>> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= limit)?;
    Some([&length.to_be_bytes(), body.as_slice()].concat())
}
