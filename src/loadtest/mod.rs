//! The load generator: opens connections for real, holds them, asks over them, and tells what it found.
//!
//! ```text
//!  director ──▶ worker 0 ┐    each: a thread with its own descriptor table, its own clients
//!     ▲         worker 1 ┼──▶ the target
//!     └──glance─worker n ┘
//!  phases: ramp ─▶ hold (with a failover, if one is asked for) ─▶ sticky ─▶ close ─▶ Results
//! ```
//!
//! A client's [conversation] is a pure machine, and so are its schedule and the judgement of what was found.

pub(crate) mod conversation;
mod glance;
mod protocol;
mod reading;
pub mod results;
#[cfg(test)]
pub(crate) mod testing;
mod trouble;
mod verdict;

pub use glance::Glance;
pub use protocol::Protocol;
pub use reading::ReadError;
pub use results::Results;
pub use trouble::{Kind, Trouble};
pub use verdict::judge;
