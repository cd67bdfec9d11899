//! Events: what a message says about the kernel's objects.

use super::{Address, IfIndex, Link, Message, ParseError, Port, Route, Rule, link};

/// An object that is there, has changed, or is gone. Dumps and notifications say it in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A device is there, in this state.
    Link(Link),
    /// A device is gone.
    LinkGone(IfIndex),
    /// A bridge port has changed its state.
    Port(Port),
    /// A device has left its bridge. The device itself is still there.
    PortGone(Port),
    /// An address is there, in this state.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// A route is there.
    Route(Route),
    /// A rule is there.
    Rule(Rule),
}

impl Event {
    /// Reads a message. `None` if it is about nothing that is known here.
    pub fn parse(message: &Message<'_>) -> Result<Option<Event>, ParseError> {
        let payload = message.payload;
        // A device leaves its bridge with RTM_DELLINK of the family AF_BRIDGE: it is not gone.
        let about_port = link::is_about_port(payload);
        match message.kind {
            libc::RTM_NEWLINK if about_port => Port::parse(payload, Event::Port),
            libc::RTM_DELLINK if about_port => Port::parse(payload, Event::PortGone),
            libc::RTM_NEWLINK => Link::parse(payload),
            libc::RTM_DELLINK => Ok(Some(Event::LinkGone(link::parse_index(payload)?))),
            libc::RTM_NEWADDR => Address::parse(payload, Event::Address),
            libc::RTM_DELADDR => Address::parse(payload, Event::AddressGone),
            libc::RTM_NEWROUTE => Route::parse(payload),
            libc::RTM_NEWRULE => Rule::parse(payload),
            _ => Ok(None),
        }
    }
}
