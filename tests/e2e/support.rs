//! What several scenarios share.

use std::time::Duration;

use crate::lab::gwha::Gwha;
use crate::lab::setup::Setup;
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, until};

/// A wait that no correct run comes near, also on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(15);

/// So many milliseconds.
pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// gwha on A and B, with A serving everything the setup has.
pub fn pair(lab: &Lab, setup: &Setup) -> (Gwha, Gwha) {
    let a = Gwha::start(lab, Host::A, setup);
    // On a slow machine B could be the first to have waited long enough.
    until_role(&a, "master");
    let b = Gwha::start(lab, Host::B, setup);
    until_role(&b, "backup");
    until_holds(lab, Host::A, &setup.segments);
    (a, b)
}

/// Waits until the node says that it has the role.
#[track_caller]
pub fn until_role(node: &Gwha, role: &str) {
    until(&format!("{} says {role}", node.host), LIMIT, || node.role() == role);
}

/// Waits until `host`, and no other gateway, holds the VIPs of these segments.
#[track_caller]
pub fn until_holds(lab: &Lab, host: Host, segments: &[Segment]) {
    until(&format!("{host} alone holds the VIPs of {segments:?}"), LIMIT, || holds(lab, host, segments));
}

/// Whether `host`, and no other gateway, holds the VIPs of these segments.
pub fn holds(lab: &Lab, host: Host, segments: &[Segment]) -> bool {
    segments.iter().all(|&segment| lab.holders(segment) == [host])
}
