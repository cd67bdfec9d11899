//! Exchanges: one request and the replies that belong to it.

use super::{Content, Error, Event, Message, Messages};

/// How the kernel answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// With one acknowledgement.
    Ack,
    /// With objects, in several datagrams, and a message that ends them.
    Dump,
}

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More datagrams will come.
    Pending,
    /// The request is answered.
    Complete,
}

/// Follows one request to its end. It knows no socket: datagrams go in, events come out.
#[derive(Debug)]
pub struct Exchange {
    sequence: u32,
    port: u32,
    expect: Expect,
    interrupted: bool,
}

impl Exchange {
    /// Waits for the answer to the request `sequence` of the socket `port`.
    pub fn new(sequence: u32, port: u32, expect: Expect) -> Exchange {
        Exchange { sequence, port, expect, interrupted: false }
    }

    /// Takes one datagram, and gives the objects in it to `visit`.
    ///
    /// Messages that answer another request (one given up earlier) are skipped, and so are objects that
    /// can't be read: one odd device must not hide all the others.
    ///
    /// # Errors
    ///
    /// What the kernel answered, or that its answer is unusable. The exchange is over then.
    pub fn read(&mut self, datagram: &[u8], visit: &mut dyn FnMut(Event)) -> Result<Progress, Error> {
        for message in Messages::new(datagram) {
            let message = message?;
            let is_ours = message.sequence == self.sequence && message.port == self.port;
            if is_ours && self.take(&message, visit)? == Progress::Complete {
                return Ok(Progress::Complete);
            }
        }
        Ok(Progress::Pending)
    }

    fn take(&mut self, message: &Message<'_>, visit: &mut dyn FnMut(Event)) -> Result<Progress, Error> {
        self.interrupted |= message.has(libc::NLM_F_DUMP_INTR);
        match (message.content()?, self.expect) {
            (Content::Error(error), _) => Err(Error::Refused(error)),
            (Content::Overrun, _) => Err(Error::Overrun),
            (Content::Ack, Expect::Ack) => Ok(Progress::Complete),
            (Content::Done, Expect::Dump) if self.interrupted => Err(Error::Interrupted),
            (Content::Done, Expect::Dump) => Ok(Progress::Complete),
            (Content::Data, Expect::Dump) => {
                if let Ok(Some(event)) = Event::parse(message) {
                    visit(event);
                }
                Ok(Progress::Pending)
            }
            (Content::Noop | Content::Data | Content::Done, Expect::Ack)
            | (Content::Noop | Content::Ack, Expect::Dump) => Ok(Progress::Pending),
        }
    }
}
