//! The program by which the kernel picks a listener of a group: classic BPF, which needs no
//! privileges.
//!
//! ```text
//!  client's address ──▶ hash ──▶ hash mod members ──▶ that member, if it lives
//!                         └────▶ (hash / members) mod living ──▶ else one of the living
//! ```

use libc::{
    BPF_ABS, BPF_ALU, BPF_DIV, BPF_IMM, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_MEM, BPF_MISC, BPF_MOD, BPF_MUL,
    BPF_RET, BPF_RSH, BPF_ST, BPF_TAX, BPF_W, BPF_X, BPF_XOR, sock_filter, sock_fprog,
};

use super::places::Places;

/// The offset of the network header in the kernel's numbering (`SKF_NET_OFF`), a negative offset.
const NETWORK_HEADER: u32 = (-0x10_0000_i32).cast_unsigned();
/// Odd numbers without a pattern: the golden ratio's fraction, and a constant of `MurmurHash3`'s
/// last step.
const MIXERS: [u32; 2] = [0x9e37_79b1, 0x85eb_ca6b];

/// The address family of the clients' addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// A steering program for the members of a group.
#[derive(Clone)]
pub(super) struct Program(Vec<sock_filter>);

impl Program {
    /// Picks one of the `living` members whose listeners are in `places`; one of all members if
    /// none is living.
    pub(super) fn new(family: Family, places: &Places, living: &[bool]) -> Program {
        let members = count(living.len()).max(1);
        let those = |only: &dyn Fn(bool) -> bool| -> Vec<(u32, u32)> {
            let all = (0_u16..).zip(living).filter(|(_, lives)| only(**lives));
            all.filter_map(|(member, _)| Some((member.into(), count(places.of(member)?))))
                .collect()
        };
        let mut alive = those(&|lives| lives);
        if alive.is_empty() {
            alive = those(&|_| true);
        }
        let mut program = Program(Vec::new());
        program.hash_of_client(family);
        program.push(BPF_ST, 0);
        program.push(BPF_ALU | BPF_MOD | BPF_K, members);
        for (member, place) in &alive {
            program.give_if(*member, *place);
        }
        program.push(BPF_LD | BPF_MEM, 0);
        program.push(BPF_ALU | BPF_DIV | BPF_K, members);
        program.push(BPF_ALU | BPF_MOD | BPF_K, count(alive.len()).max(1));
        for (turn, (_, place)) in (0..).zip(&alive) {
            program.give_if(turn, *place);
        }
        // No member exists. For a number beyond the last place the kernel picks a listener by its
        // own hash.
        program.push(BPF_RET | BPF_K, u32::MAX);
        program
    }

    /// The program in the format of `SO_ATTACH_REUSEPORT_CBPF`; the kernel copies it.
    pub(super) fn as_kernel_wants_it(&mut self) -> sock_fprog {
        sock_fprog {
            // A member takes at most four instructions, and there are about 64 members.
            len: u16::try_from(self.0.len()).unwrap_or(u16::MAX),
            filter: self.0.as_mut_ptr(),
        }
    }

    // Private

    /// Leaves a hash of the client's address in the accumulator.
    fn hash_of_client(&mut self, family: Family) {
        let words: &[u32] = match family {
            Family::V4 => &[12],
            Family::V6 => &[8, 12, 16, 20],
        };
        self.push(BPF_LD | BPF_IMM, 0);
        for offset in words {
            self.push(BPF_MISC | BPF_TAX, 0);
            self.push(BPF_LD | BPF_W | BPF_ABS, NETWORK_HEADER.wrapping_add(*offset));
            self.push(BPF_ALU | BPF_XOR | BPF_X, 0);
            for mixer in MIXERS {
                self.push(BPF_ALU | BPF_MUL | BPF_K, mixer);
                self.push(BPF_MISC | BPF_TAX, 0);
                self.push(BPF_ALU | BPF_RSH | BPF_K, 15);
                self.push(BPF_ALU | BPF_XOR | BPF_X, 0);
            }
        }
    }

    /// Ends the program with `place` if the accumulator holds `turn`.
    fn give_if(&mut self, turn: u32, place: u32) {
        self.0.push(sock_filter {
            code: code(BPF_JMP | BPF_JEQ | BPF_K),
            jt: 0,
            jf: 1,
            k: turn,
        });
        self.push(BPF_RET | BPF_K, place);
    }

    fn push(&mut self, operation: u32, k: u32) {
        self.0.push(sock_filter {
            code: code(operation),
            jt: 0,
            jf: 0,
            k,
        });
    }
}

// Private

#[expect(clippy::cast_possible_truncation, reason = "operations are of 16 bits")]
const fn code(operation: u32) -> u16 {
    operation as u16
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
