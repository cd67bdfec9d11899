//! The virtual address of a configuration that has to be made.

use core::time::Duration;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::config::model::TrackKind;
use crate::daemon::clock;
use crate::probe::{Outcome, Prober, Via};

use super::agree::{Gateway, Vip, usual_vip};
use super::facts::Place;
use super::vrid::Ear;

/// The address that was asked for, or the usual one of a gateway, and a VRID; an error if somebody has the address. And who
/// else uses the usual VRID.
pub fn choose(place: &Place, wanted: Option<(Ipv4Addr, Option<u8>)>) -> (Vip, Option<Ipv4Addr>) {
    let ear = Ear::open(place);
    let address = free_address(place, wanted);
    let (vrid, user) = ear.choose();
    (address.map(|(address, length)| Gateway { address, length, vrid }), user)
}

fn free_address(place: &Place, wanted: Option<(Ipv4Addr, Option<u8>)>) -> Result<(Ipv4Addr, u8), String> {
    let (own, length) = place.address;
    let (vip, length) = match wanted {
        Some((vip, written)) => (vip, written.unwrap_or(length)),
        None => usual_vip(place.address)
            .ok_or_else(|| format!("the network of {own}/{length} is too small to guess: --vip ADDRESS"))?,
    };
    let holder = if vip == own {
        "this router"
    } else if is_in_use(&place.device, vip) {
        "somebody"
    } else {
        return Ok((vip, length));
    };
    Err(format!(
        "{vip} is to be the virtual address, but {holder} has it: give that router an address of its own first, or \
         choose another with `gwha pair --vip ADDRESS`"
    ))
}

/// Whether somebody on the device's network answers for the address.
fn is_in_use(device: &str, address: Ipv4Addr) -> bool {
    let kind = TrackKind::Arp { targets: vec![address.into()] };
    let Ok(Some(mut prober)) = Prober::new(&kind, Via::Device(device.into())) else { return false };
    for round in 0..ROUNDS {
        let mut results = Vec::new();
        let begin = clock::now();
        prober.start(round, begin.as_micros(), &mut results);
        loop {
            if results.iter().any(|it| matches!(it.outcome, Outcome::Answered(_))) {
                return true;
            }
            let left = PATIENCE.saturating_sub(clock::now().since(begin));
            if left.is_zero() {
                break;
            }
            let timeout =
                PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::ZERO);
            let _ = poll(&mut [PollFd::new(prober.as_fd(), PollFlags::POLLIN)], timeout);
            prober.ready(clock::now().as_micros(), &mut results);
        }
    }
    false
}

const ROUNDS: u32 = 2;
const PATIENCE: Duration = Duration::from_millis(400);
