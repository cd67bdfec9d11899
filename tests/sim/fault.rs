//! What can go wrong, and how it is undone.

use gwha::engine::{Command, LinkCondition, Maintenance, SwitchTo};

use crate::support::setup::Node;
use crate::world::Micros;

/// One thing that happens to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A member's link of a node changes.
    Link(Node, usize, LinkCondition),
    /// Frames of a member from one node to another pass, or don't; both links stay up.
    Path { member: usize, from: Node, to: Node, open: bool },
    /// Of a thousand frames on a member's segment this many are lost.
    Loss(usize, u32),
    /// Every frame on a member's segment takes so much longer.
    Clog(usize, Micros),
    /// Power is lost: daemon, kernel and tmpfs are gone.
    PowerOff(Node),
    /// kill -9: the kernel and tmpfs stay.
    Kill(Node),
    /// SIGTERM.
    Terminate(Node),
    /// The daemon starts, if it does not run.
    Start(Node),
    /// SIGSTOP for so long.
    Stall(Node, Micros),
    /// The carrier router answers a node's probes, or not.
    Carrier(Node, bool),
    /// The carrier router answers everybody, or nobody.
    CarrierForAll(bool),
    /// The kernel takes the group's addresses, or not.
    Addresses(Node, bool),
    /// Somebody removes the group's addresses from a node's kernel.
    Steal(Node),
    /// Of a thousand adverts of a node this many are refused by its kernel.
    SendErrors(Node, u32),
    /// The operator says something.
    Order(Node, Order),
    /// A packet with this priority arrives at a node, from another one's address.
    Forge { member: usize, as_if: Node, to: Node, priority: u8 },
    /// Nobody forges packets any more.
    ForgingEnds,
    /// The peer channel says something to a node, true or not.
    Channel(Node, Word),
    /// A reload with this many virtual addresses on each member.
    Reload(Node, u8),
    /// Everything that was broken has been mended for good.
    Healed,
}

/// What the peer channel can say about roles (rule 19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// An operator moved the role away from here.
    Kept,
    /// Preemption waits for so long.
    Hold(Micros),
    /// It waits no longer.
    HoldOver,
}

/// What an operator asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Switch,
    Maintenance(bool),
    Recheck,
}

impl Order {
    pub fn command(self) -> Command {
        match self {
            Order::Switch => Command::Switch(SwitchTo::Other),
            Order::Maintenance(true) => Command::Maintenance(Maintenance::On),
            Order::Maintenance(false) => Command::Maintenance(Maintenance::Off),
            Order::Recheck => Command::Recheck,
        }
    }
}

/// Whether the checkers are told. What they are not told of must make them fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    Yes,
    No,
}

impl Fault {
    /// The node that it hits, if it hits one.
    pub fn node(self) -> Option<Node> {
        match self {
            Fault::Link(node, ..)
            | Fault::PowerOff(node)
            | Fault::Kill(node)
            | Fault::Terminate(node)
            | Fault::Start(node)
            | Fault::Stall(node, _)
            | Fault::Carrier(node, _)
            | Fault::Addresses(node, _)
            | Fault::Steal(node)
            | Fault::SendErrors(node, _)
            | Fault::Order(node, _)
            | Fault::Channel(node, _)
            | Fault::Reload(node, _) => Some(node),
            Fault::Path { .. }
            | Fault::Loss(..)
            | Fault::Clog(..)
            | Fault::CarrierForAll(_)
            | Fault::Forge { .. }
            | Fault::ForgingEnds
            | Fault::Healed => None,
        }
    }

    /// How much of the world's rest it disturbs.
    pub fn reach(self) -> Reach {
        match self {
            Fault::Link(..)
            | Fault::Path { .. }
            | Fault::Loss(..)
            | Fault::Clog(..)
            | Fault::PowerOff(_)
            | Fault::Kill(_)
            | Fault::Terminate(_)
            | Fault::Start(_)
            | Fault::Stall(..)
            | Fault::SendErrors(..) => Reach::Network,
            Fault::Carrier(..) | Fault::Addresses(..) | Fault::Order(..) => Reach::Node,
            Fault::CarrierForAll(_) | Fault::Forge { .. } | Fault::ForgingEnds => Reach::Everybody,
            // These must not be noticed by anybody who watches roles.
            Fault::Steal(_) | Fault::Reload(..) | Fault::Channel(..) | Fault::Healed => Reach::Nobody,
        }
    }
}

/// How much a fault disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Who can hear whom, and when.
    Network,
    /// A node's health or its orders.
    Node,
    /// All in the same way.
    Everybody,
    /// Nothing that a role could depend on.
    Nobody,
}
