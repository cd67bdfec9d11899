//! What can go wrong.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::Lab;
use crate::lab::fault::Direction;
use crate::lab::gwha::configuration;
use crate::lab::setup::Setup;
use crate::lab::topology::{Host, Segment};

use super::life::Life;

/// One thing that goes wrong, or that an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    Cable,
    Flapping,
    SilentPort,
    Partition,
    OneWay,
    Loss,
    Carrier,
    Stop,
    Kill,
    Stall,
    Reload,
    OtherConfig,
    BrokenConfig,
    StrangeHand,
    Switch,
}

/// No stop takes longer.
const STOP_LIMIT: Duration = Duration::from_secs(5);

impl Mishap {
    pub const ALL: [Mishap; 15] = [
        Mishap::Cable,
        Mishap::Flapping,
        Mishap::SilentPort,
        Mishap::Partition,
        Mishap::OneWay,
        Mishap::Loss,
        Mishap::Carrier,
        Mishap::Stop,
        Mishap::Kill,
        Mishap::Stall,
        Mishap::Reload,
        Mishap::OtherConfig,
        Mishap::BrokenConfig,
        Mishap::StrangeHand,
        Mishap::Switch,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Mishap::Cable => "cable pulled",
            Mishap::Flapping => "link flapping",
            Mishap::SilentPort => "port silently dead",
            Mishap::Partition => "partition",
            Mishap::OneWay => "one-way loss",
            Mishap::Loss => "30 % loss",
            Mishap::Carrier => "carrier lost",
            Mishap::Stop => "SIGTERM",
            Mishap::Kill => "SIGKILL",
            Mishap::Stall => "SIGSTOP",
            Mishap::Reload => "reload",
            Mishap::OtherConfig => "reload with another interval",
            Mishap::BrokenConfig => "reload of a broken file",
            Mishap::StrangeHand => "address removed by hand",
            Mishap::Switch => "switch",
        }
    }

    /// Whether the daemon is another process afterwards.
    pub fn is_restart(self) -> bool {
        matches!(self, Mishap::Stop | Mishap::Kill)
    }

    pub fn happen(self, lab: &Lab, setup: &Setup, life: &mut Life, segment: Segment) {
        let gwha = &mut life.gwha;
        let host = gwha.host;
        let other = if host == Host::A { Host::B } else { Host::A };
        match self {
            Mishap::Cable => lab.pull_cable(host, segment),
            Mishap::Flapping => {
                for _ in 0..10 {
                    lab.pull_cable(host, segment);
                    thread::sleep(Duration::from_millis(30));
                    lab.plug_cable(host, segment);
                    thread::sleep(Duration::from_millis(70));
                }
            }
            Mishap::SilentPort => lab.cut(host, segment, Direction::Both),
            Mishap::Partition => {
                for segment in Segment::ALL {
                    lab.cut_path(host, other, segment);
                    lab.cut_path(other, host, segment);
                }
            }
            Mishap::OneWay => {
                for segment in Segment::ALL {
                    lab.cut_path(host, other, segment);
                }
            }
            Mishap::Loss => {
                for segment in Segment::ALL {
                    lab.lose(300, (host, other), segment);
                }
            }
            Mishap::Carrier => lab.cut_carrier(host),
            Mishap::Stop => {
                gwha.daemon.terminate(STOP_LIMIT);
            }
            Mishap::Kill => gwha.daemon.kill(),
            Mishap::Stall => gwha.daemon.freeze(),
            Mishap::Reload => gwha.daemon.signal(Signal::SIGHUP),
            Mishap::OtherConfig => {
                gwha.write_config(&configuration(&Setup { interval_ms: 200, ..setup.clone() }, host));
                gwha.hup();
            }
            Mishap::BrokenConfig => {
                gwha.write_config("config instance 'lan'\n\toption vrid 'many'\n");
                gwha.hup();
            }
            Mishap::StrangeHand => lab.remove_address(host, segment, segment.vip().into()),
            Mishap::Switch => {
                let _ = gwha.cli(&["switch"]);
            }
        }
    }
}

/// Marsaglia's xorshift: the same mishaps for the same seed.
pub struct Random(u32);

impl Random {
    pub fn new(seed: u32) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9) | 1)
    }

    pub fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % limit
    }

    pub fn pick<T: Copy, const N: usize>(&mut self, from: [T; N]) -> T {
        from[self.below(u32::try_from(N).expect("a short list")) as usize]
    }
}
