//! How the kernel picks a listener of a group: by its own hash, or by a program in classic BPF,
//! which needs no privileges.
//!
//! ```text
//!  by client:      client's address ──▶ hash ──▶ hash mod members ──▶ that member, if it lives
//!                                        └────▶ (hash / members) mod living ──▶ else one of the living
//!  by connection:  all members live ──▶ the kernel's own hash of both addresses and ports
//!                  else             ──▶ random number mod living ──▶ one of the living
//! ```

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use libc::{
    BPF_ABS, BPF_ALU, BPF_DIV, BPF_IMM, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_MEM, BPF_MISC, BPF_MOD, BPF_MUL,
    BPF_RET, BPF_RSH, BPF_ST, BPF_TAX, BPF_W, BPF_X, BPF_XOR, sock_filter, sock_fprog,
};

use nix::sys::socket::{setsockopt, sockopt};

use super::places::Places;

/// The offset of the network header in the kernel's numbering (`SKF_NET_OFF`), a negative offset.
const NETWORK_HEADER: u32 = (-0x10_0000_i32).cast_unsigned();
/// The offset of a random number in the kernel's numbering (`SKF_AD_OFF + SKF_AD_RANDOM`).
const RANDOM: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_RANDOM).cast_unsigned();
/// `SO_DETACH_REUSEPORT_BPF` of Linux 5.3, which the `libc` crate lacks.
const SO_DETACH_REUSEPORT_BPF: libc::c_int = 68;
/// Odd numbers without a pattern: the golden ratio's fraction, and a constant of `MurmurHash3`'s
/// last step.
const MIXERS: [u32; 2] = [0x9e37_79b1, 0x85eb_ca6b];

/// What decides which member of a group gets a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// The client's address: a client always reaches the same member.
    ByClient,
    /// Each connection is assigned by itself, evenly, whichever client it comes from.
    ByConnection,
}

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
    /// Picks one of the `living` members whose listeners are in `places`; one of all members in
    /// `living` if none is.
    pub(super) fn new(spread: Spread, family: Family, places: &Places, living: &[bool]) -> Program {
        let alive = alive(places, living);
        let mut program = Program(Vec::new());
        match spread {
            Spread::ByClient => program.give_by_client(family, count(living.len()).max(1), &alive),
            Spread::ByConnection => program.push(BPF_LD | BPF_W | BPF_ABS, RANDOM),
        }
        program.give_one_of(&alive);
        program
    }

    /// Attaches the program to a group by `any` of its listeners; it replaces the former program.
    pub(super) fn attach(mut self, any: &impl AsFd) -> io::Result<()> {
        Ok(setsockopt(
            any,
            sockopt::AttachReusePortCbpf,
            &self.as_kernel_wants_it(),
        )?)
    }

    /// The program in the format of `SO_ATTACH_REUSEPORT_CBPF`; the kernel copies it.
    fn as_kernel_wants_it(&mut self) -> sock_fprog {
        sock_fprog {
            // A member takes at most four instructions, and there are about 64 members.
            len: u16::try_from(self.0.len()).unwrap_or(u16::MAX),
            filter: self.0.as_mut_ptr(),
        }
    }

    // Private

    /// Ends the program with the place of the client's own member, if that is alive. Else leaves a
    /// number in the accumulator, which depends on the client.
    fn give_by_client(&mut self, family: Family, members: u32, alive: &[(u32, u32)]) {
        self.hash_of_client(family);
        self.push(BPF_ST, 0);
        self.push(BPF_ALU | BPF_MOD | BPF_K, members);
        for (member, place) in alive {
            self.give_if(*member, *place);
        }
        self.push(BPF_LD | BPF_MEM, 0);
        self.push(BPF_ALU | BPF_DIV | BPF_K, members);
    }

    /// Ends the program with one of the places, chosen by the number in the accumulator.
    fn give_one_of(&mut self, alive: &[(u32, u32)]) {
        self.push(BPF_ALU | BPF_MOD | BPF_K, count(alive.len()).max(1));
        for (turn, (_, place)) in (0..).zip(alive) {
            self.give_if(turn, *place);
        }
        // No member exists. For a number beyond the last place the kernel picks a listener by its
        // own hash.
        self.push(BPF_RET | BPF_K, u32::MAX);
    }

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

/// Removes the program of a group by `any` of its listeners, so that the kernel's own hash decides.
/// Returns whether one was attached.
///
/// # Errors
/// When the kernel is older than Linux 5.3.
#[expect(unsafe_code, reason = "`nix` and `socket2` lack the option")]
pub(super) fn detach(any: &impl AsFd) -> io::Result<bool> {
    let ignored: libc::c_int = 0;
    let length = libc::socklen_t::try_from(size_of_val(&ignored)).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, and the value is an integer of the given length.
    let result = unsafe {
        libc::setsockopt(
            any.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_DETACH_REUSEPORT_BPF,
            (&raw const ignored).cast(),
            length,
        )
    };
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        _ if result == 0 => Ok(true),
        Some(libc::ENOENT) => Ok(false),
        _ => Err(error),
    }
}

// Private

/// The numbers and places of the `living` members; of all in `living` if none is; of all that exist
/// if those have no place.
fn alive(places: &Places, living: &[bool]) -> Vec<(u32, u32)> {
    let those = |members: &mut dyn Iterator<Item = u16>| -> Vec<(u32, u32)> {
        let numbers = members.filter_map(|member| Some((member.into(), count(places.of(member)?))));
        numbers.collect()
    };
    let numbered = || (0_u16..).zip(living);
    let mut alive = those(&mut numbered().filter(|(_, lives)| **lives).map(|(member, _)| member));
    if alive.is_empty() {
        alive = those(&mut numbered().map(|(member, _)| member));
    }
    if alive.is_empty() {
        alive = those(&mut places.members());
    }
    alive
}

#[expect(clippy::cast_possible_truncation, reason = "operations are of 16 bits")]
const fn code(operation: u32) -> u16 {
    operation as u16
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
