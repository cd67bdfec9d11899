//! The messages of the ubus protocol: a header of eight bytes and one blob of attributes (`ubusmsg.h`).
//!
//! [`Builder`] writes one, [`Inbox`](super::inbox::Inbox) finds them in a stream of bytes, and
//! [`Message::attributes`] reads one.

use super::blob::{Attrs, Form, MAX_MESSAGE, Mark, Writer};
use super::{Data, Error, Kind, Status};

/// The first eight bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is about.
    pub kind: Kind,
    /// The requester's own counter; answers repeat it.
    pub seq: u16,
    /// A client or an object, depending on the kind; answers repeat it.
    pub peer: u32,
}

/// One message, seen in the bytes that carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header,
    /// Its attributes, encoded.
    pub body: &'a [u8],
}

/// The attributes of a message; what is absent or has a wrong size is `None`.
///
/// Text is what stands before the first NUL, and not always UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Attributes<'a> {
    /// How the request ended.
    pub status: Option<Status>,
    /// An object's path.
    pub path: Option<&'a [u8]>,
    /// An object's id.
    pub object: Option<u32>,
    /// A method's, event's or notification's name.
    pub method: Option<&'a [u8]>,
    /// The id that ubusd gave to an object's signature.
    pub object_type: Option<u32>,
    /// A table for each method, with its arguments' types.
    pub signature: Option<&'a [u8]>,
    /// The arguments or the result: the members of a table.
    pub data: Option<&'a [u8]>,
    /// The object whose notifications it is about.
    pub target: Option<u32>,
    /// Whether there are subscribers.
    pub active: Option<u8>,
    /// Not zero: nobody waits for an answer.
    pub no_reply: Option<u8>,
    /// The ids of the subscribers' objects.
    pub subscribers: Option<&'a [u8]>,
    /// The caller's user name.
    pub user: Option<&'a [u8]>,
    /// The caller's group name.
    pub group: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// Reads the attributes as libubox' `blob_parse` does: unknown ones are skipped, so are those of a
    /// wrong size, and of several of a kind the last one counts.
    pub fn attributes(&self) -> Attributes<'a> {
        let mut all = Attributes::default();
        for attr in Attrs::new(self.body).flatten() {
            match attr.id {
                STATUS => replace(&mut all.status, attr.u32().map(Status::from_wire)),
                PATH => replace(&mut all.path, attr.text()),
                OBJECT => replace(&mut all.object, attr.u32()),
                METHOD => replace(&mut all.method, attr.text()),
                OBJECT_TYPE => replace(&mut all.object_type, attr.u32()),
                SIGNATURE => all.signature = Some(attr.payload),
                DATA => all.data = Some(attr.payload),
                TARGET => replace(&mut all.target, attr.u32()),
                ACTIVE => replace(&mut all.active, attr.u8()),
                NO_REPLY => replace(&mut all.no_reply, attr.u8()),
                SUBSCRIBERS => all.subscribers = Some(attr.payload),
                USER => replace(&mut all.user, attr.text()),
                GROUP => replace(&mut all.group, attr.text()),
                _ => (),
            }
        }
        all
    }
}

fn replace<T>(slot: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *slot = new;
    }
}

/// Writes one message. Errors are kept until [`Builder::finish`].
#[derive(Debug)]
pub struct Builder {
    out: Writer,
    body: Result<Mark, Error>,
}

impl Builder {
    /// Starts a message.
    pub fn new(kind: Kind, seq: u16, peer: u32) -> Builder {
        let mut out = Writer::new(HEADER_BYTES.saturating_add(MAX_MESSAGE));
        let [seq_high, seq_low] = seq.to_be_bytes();
        let body = out
            .append(&[VERSION, kind.wire(), seq_high, seq_low])
            .and_then(|()| out.append(&peer.to_be_bytes()))
            .and_then(|()| out.begin(0, Form::Plain));
        Builder { out, body }
    }

    /// How the request ended.
    #[must_use]
    pub fn status(self, status: Status) -> Builder {
        self.raw(STATUS, &status.wire().to_be_bytes())
    }

    /// An object's path.
    #[must_use]
    pub fn path(self, path: &str) -> Builder {
        self.text(PATH, path)
    }

    /// An object's id.
    #[must_use]
    pub fn object(self, id: u32) -> Builder {
        self.raw(OBJECT, &id.to_be_bytes())
    }

    /// A method's, event's or notification's name.
    #[must_use]
    pub fn method(self, name: &str) -> Builder {
        self.text(METHOD, name)
    }

    /// The id of an object's signature.
    #[must_use]
    pub fn object_type(self, id: u32) -> Builder {
        self.raw(OBJECT_TYPE, &id.to_be_bytes())
    }

    /// A table for each method, with its arguments' types.
    #[must_use]
    pub fn signature(self, signature: &Data) -> Builder {
        self.raw(SIGNATURE, signature.as_bytes())
    }

    /// The arguments or the result.
    #[must_use]
    pub fn data(self, data: &Data) -> Builder {
        self.raw(DATA, data.as_bytes())
    }

    /// The object whose notifications it is about.
    #[must_use]
    pub fn target(self, id: u32) -> Builder {
        self.raw(TARGET, &id.to_be_bytes())
    }

    /// Nobody waits for an answer.
    #[must_use]
    pub fn no_reply(self) -> Builder {
        self.raw(NO_REPLY, &[1])
    }

    /// Anything else: the payload of the attribute `id`.
    #[must_use]
    pub fn raw(mut self, id: u8, payload: &[u8]) -> Builder {
        if self.body.is_ok()
            && let Err(error) = self.out.put(id, payload)
        {
            self.body = Err(error);
        }
        self
    }

    fn text(mut self, id: u8, text: &str) -> Builder {
        if self.body.is_ok()
            && let Err(error) = self.out.put_text(id, text)
        {
            self.body = Err(error);
        }
        self
    }

    /// The message's bytes.
    ///
    /// # Errors
    /// [`Error::TooLong`] if the body is above [`MAX_MESSAGE`].
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        let Builder { mut out, body } = self;
        out.end(body?);
        Ok(out.into_bytes())
    }
}

/// The only version there is.
pub(super) const VERSION: u8 = 0;
/// Version, kind, seq and peer.
pub(super) const HEADER_BYTES: usize = 8;

const STATUS: u8 = 1;
const PATH: u8 = 2;
const OBJECT: u8 = 3;
const METHOD: u8 = 4;
const OBJECT_TYPE: u8 = 5;
const SIGNATURE: u8 = 6;
const DATA: u8 = 7;
const TARGET: u8 = 8;
const ACTIVE: u8 = 9;
const NO_REPLY: u8 = 10;
const SUBSCRIBERS: u8 = 11;
const USER: u8 = 12;
const GROUP: u8 = 13;

#[cfg(test)]
mod tests;
