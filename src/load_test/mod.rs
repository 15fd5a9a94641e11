//! The load generator: opens real connections, holds them, sends messages over them, and reports
//! what it found.
//!
//! ```text
//!  director ──▶ worker 0 ┐    each: a thread with its own descriptor table, its own clients
//!     ▲         worker 1 ┼──▶ the target
//!     └progress─worker n ┘
//!  phases: ramp ─▶ hold (with a failover, if one is asked for) ─▶ sticky ─▶ close ─▶ Results
//! ```
//!
//! One client connects before all others, to check that there is anything to test. A client's
//! [conversation] is a pure state machine; its schedule and the verdicts are pure, too.

mod by_balancer;
mod command;
pub mod conversation;
mod counting;
mod director;
mod error;
mod error_counts;
mod fault_injection;
mod memory;
mod names;
mod order;
mod outcome;
mod preflight;
mod progress;
mod protocol;
mod reading;
pub mod results;
mod run;
mod schedule;
mod sources;
mod tally;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
mod times;
mod verdict;
mod worker;
mod worker_pool;

pub use error::{Kind, LoadError};
pub use order::{Cluster, Member, Order};
pub use progress::Progress;
pub use protocol::Protocol;
pub use reading::ReadError;
pub use results::Results;
pub use run::{RunError, run};
pub use sources::Sources;
pub use verdict::judge;
pub use worker_pool::WorkerPoolError;
