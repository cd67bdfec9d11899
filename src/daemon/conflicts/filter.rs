//! The socket filters (classic BPF, see the kernel's networking/filter.rst).

use std::net::IpAddr;

use socket2::SockFilter;

use crate::wire::types::Family;

/// Lets claims of the addresses with these keys through, and nothing else.
///
/// An IPv6 address is compared by its last 32 bits only. A chance match costs one wake-up.
pub fn claims(keys: &[u32], family: Family) -> Vec<SockFilter> {
    let mut program = match family {
        // The sender's address in an ARP packet, behind the Ethernet header of 14 bytes.
        Family::V4 => vec![load(BPF_W, 14 + 14)],
        // An advertisement from this link (RFC 4861 §7.1.2): type 136, hop limit 255. Then its target's end.
        Family::V6 => vec![
            load(BPF_B, 0),
            equal(136, Jump { then: 1, otherwise: 0 }),
            REFUSE,
            load(BPF_B, HOP_LIMIT),
            equal(255, Jump { then: 1, otherwise: 0 }),
            REFUSE,
            load(BPF_W, 8 + 12),
        ],
    };
    for key in keys.iter().take(KEYS_MAX) {
        program.push(equal(*key, Jump { then: 0, otherwise: 1 }));
        program.push(ACCEPT);
    }
    program.push(REFUSE);
    program
}

/// What [`claims`] knows an address by.
pub fn key(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        // The lowest bits are what is wanted.
        IpAddr::V6(address) => address.to_bits() as u32,
    }
}

/// How many instructions to skip.
struct Jump {
    then: u8,
    otherwise: u8,
}

const fn load(width: u16, offset: u32) -> SockFilter {
    SockFilter::new((libc::BPF_LD | libc::BPF_ABS) as u16 | width, 0, 0, offset)
}

const fn equal(value: u32, jump: Jump) -> SockFilter {
    let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    SockFilter::new(code, jump.then, jump.otherwise, value)
}

const ACCEPT: SockFilter = SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, u32::MAX);
const REFUSE: SockFilter = SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0);
const BPF_W: u16 = libc::BPF_W as u16;
const BPF_B: u16 = libc::BPF_B as u16;

/// In the IPv6 header, which lies before the message: a negative offset for the kernel.
const HOP_LIMIT: u32 = (libc::SKF_NET_OFF + 7) as u32;

/// A filter has at most 4096 instructions.
const KEYS_MAX: usize = 2000;
