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
    /// A route is gone.
    RouteGone(Route),
    /// A rule is there.
    Rule(Rule),
    /// A rule is gone.
    RuleGone(Rule),
}

impl Event {
    /// Reads a message. `None` if it is about nothing that is known here.
    pub fn parse(message: &Message<'_>) -> Result<Option<Event>, ParseError> {
        let payload = message.payload;
        // A device leaves its bridge with RTM_DELLINK of the family AF_BRIDGE: it is not gone.
        let about_port = link::is_about_port(payload);
        Ok(match message.kind {
            libc::RTM_NEWLINK if about_port => Some(Event::Port(Port::parse(payload)?)),
            libc::RTM_DELLINK if about_port => Some(Event::PortGone(Port::parse(payload)?)),
            libc::RTM_NEWLINK => Link::parse(payload)?.map(Event::Link),
            libc::RTM_DELLINK => Some(Event::LinkGone(link::parse_index(payload)?)),
            libc::RTM_NEWADDR => Some(Event::Address(Address::parse(payload)?)),
            libc::RTM_DELADDR => Some(Event::AddressGone(Address::parse(payload)?)),
            libc::RTM_NEWROUTE => Route::parse(payload)?.map(Event::Route),
            libc::RTM_DELROUTE => Route::parse(payload)?.map(Event::RouteGone),
            libc::RTM_NEWRULE => Rule::parse(payload)?.map(Event::Rule),
            libc::RTM_DELRULE => Rule::parse(payload)?.map(Event::RuleGone),
            _ => None,
        })
    }
}
