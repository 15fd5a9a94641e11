//! A client of Erlang's distribution protocol: it asks a BEAM node as another node would, with neither C nor a node of its
//! own.
//!
//! ```text
//!   Target ──▶ Connection ──▶ vitals, memory, processes, ports, nodes, call
//!                  │
//!     handshake ───┤  flags, cookie                  [`handshake`]
//!        signal ───┤  calls and their ends, in terms  [`codec`]
//!       ongoing ───┤  calls without end yet
//!        leader ───┤  what calls print
//!          wire ───┘  bytes
//! ```
//!
//! A call is one message, `SPAWN_REQUEST`, which has the node start a process that makes it; the reason that this process
//! ends with is the answer. Bigger questions are Erlang expressions that the node evaluates in one such call. Terms are read
//! and written in Erlang's own [syntax].
//!
//! Tried with OTP 25. Newer versions ask for more capabilities, all of which are [offered](flags::Flags::OURS); what else
//! they offer, we do not take. Older ones are met in other [manners](handshake::Manner), and before OTP 23 their own server
//! for calls is asked.
//!
//! Specifications: <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html>,
//! <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>.

pub mod codec;
mod connection;
mod cookie;
mod epmd;
mod error;
mod flags;
mod group_leader;
pub mod handshake;
mod observer;
mod outcome;
mod pending_call;
mod prints;
mod queries;
mod signal;
pub mod syntax;
mod term;
#[cfg(test)]
#[expect(dead_code, reason = "integration tests use the rest of it")]
mod testing;
#[cfg(test)]
mod tests;
mod wire;

pub use connection::{Connection, Target};
pub use cookie::{Cookie, CookieError};
pub use epmd::{EPMD_PORT, EpmdError, port_of};
pub use error::{Cause, Class, Error, Raised, Unfinished, Why};
pub use group_leader::{MAX_OUTPUT, Output};
pub use observer::Observer;
pub use queries::{MAX_SAMPLE, Memory, Nodes, Ports, Process, Processes, Vitals};
pub use signal::Call;
pub use term::{Atom, AtomTooLong, Bits, Export, Fun, Identity, Pid, Port, Reference, Term};
pub use wire::MAX_FRAME;
