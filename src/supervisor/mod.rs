//! What the profile wants, kept alive: one daemon per cluster that owns every child.
//!
//! ```text
//!   CLI ──▶ doorway ──▶ router ─┐ requests
//!   signals ────────────────────┤
//!   watching: first answers,    ├──▶ core ──▶ child, rollout, ending: values that events change
//!             ends of processes ┤      │
//!   vitals: probes ─────────────┘      ├──▶ processes: spawned, signalled
//!                                      ├──▶ voice: tells the balancer which nodes are well
//!                                      └──▶ record: state.json, for whoever comes after us
//! ```
//!
//! Traffic never depends on it: when it is killed, its children go on, and the next supervisor adopts them.

mod balancer_link;
mod beam_stats;
mod commands;
mod connection_count;
mod core;
mod drain;
mod event;
mod failover;
mod health;
mod http;
mod logs;
mod nginx;
pub mod node_program;
mod node_runtime;
mod orphans;
mod overrides;
mod prepare;
mod presence;
mod process;
mod reload;
mod rollout;
mod run;
mod shards;
mod shutdown;
mod snapshot;
mod spec;
mod state_file;
mod supervise;

pub use orphans::{end_left_by_dead, stop_orphans, sweep};
pub use prepare::{PrepareError, Prepared};
pub use presence::{Presence, PresenceError};
pub use state_file::{ChildRecord, Launch, Record, RecordError};
pub use supervise::{SuperviseError, detach, living_pids, supervise, supervise_detached};
