//! Socket filters (classic BPF): only the answer to our own question wakes the daemon.

use socket2::SockFilter;

use crate::collect::IntoVec as _;

/// Echo replies with this identifier, on a raw ICMP socket, which sees packets from the IP header on.
pub(super) fn echo_v4(id: u16) -> Vec<SockFilter> {
    // X = length of the IP header.
    let skip_header = Instruction::new(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0);
    let kind = Instruction::new(libc::BPF_LD | libc::BPF_B | libc::BPF_IND, 0);
    let identifier = Instruction::new(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, 4);
    accept_if(Some(skip_header), &[(kind, 0), (identifier, u32::from(id))])
}

/// Echo replies with this identifier, on a raw ICMPv6 socket, which sees messages.
pub(super) fn echo_v6(id: u16) -> Vec<SockFilter> {
    accept_if(None, &[(Instruction::byte(0), 129), (Instruction::half_word(4), u32::from(id))])
}

/// Neighbour advertisements that no router has forwarded (RFC 4861 §7.1.2), on a raw ICMPv6 socket.
pub(super) fn neighbor_advertisement() -> Vec<SockFilter> {
    let hop_limit = Instruction::byte(libc::SKF_NET_OFF + 7);
    accept_if(None, &[(Instruction::byte(0), 136), (hop_limit, 255)])
}

/// ARP replies addressed to this station, on a packet socket, which sees frames.
pub(super) fn arp_reply() -> Vec<SockFilter> {
    let packet_type = Instruction::byte(libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE);
    accept_if(None, &[(Instruction::half_word(20), 2), (packet_type, u32::from(libc::PACKET_HOST))])
}

/// One instruction that loads a register.
#[derive(Clone, Copy)]
struct Instruction {
    code: u32,
    operand: i32,
}

impl Instruction {
    const fn new(code: u32, operand: i32) -> Instruction {
        Instruction { code, operand }
    }

    const fn byte(offset: i32) -> Instruction {
        Instruction::new(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, offset)
    }

    const fn half_word(offset: i32) -> Instruction {
        Instruction::new(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, offset)
    }

    /// Codes have 16 bits; negative offsets name what the kernel knows besides the packet's bytes.
    const fn assemble(self) -> SockFilter {
        SockFilter::new(self.code as u16, 0, 0, self.operand as u32)
    }
}

/// Accepts a packet when every load gives its value. Fewer than 100 conditions.
fn accept_if(prepare: Option<Instruction>, conditions: &[(Instruction, u32)]) -> Vec<SockFilter> {
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut program: Vec<SockFilter> = prepare.map(Instruction::assemble).into_iter().into_vec();
    for (place, (load, value)) in conditions.iter().enumerate() {
        let to_reject = 2 * (conditions.len() - place) - 1;
        program.push(load.assemble());
        program.push(SockFilter::new(EQUAL, 0, to_reject as u8, *value));
    }
    program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    program.push(SockFilter::new(RETURN, 0, 0, 0));
    program
}
