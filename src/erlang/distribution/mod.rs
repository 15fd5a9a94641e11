//! A client of Erlang's distribution protocol: it queries a BEAM node as another node would,
//! without C and without a node of its own.
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
//! A call is one message, `SPAWN_REQUEST`: the node starts a process that makes the call, and the
//! exit reason of this process is the answer. Larger queries are Erlang expressions that the node
//! evaluates in one such call. Terms are read and written in Erlang's own [syntax].
//!
//! Tested with OTP 25. Newer versions require more capabilities, all of which are
//! [offered](flags::Flags::OURS); other capabilities that they offer are not used. Older ones need
//! other [modes](handshake::HandshakeMode), and before OTP 23 calls go to their `rex` server.
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
