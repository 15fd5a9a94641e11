//! The supervisor: one daemon per cluster that owns every child and keeps the profile's processes
//! running.
//!
//! ```text
//!   CLI ──▶ control socket ──▶ control API ─┐ requests
//!   signals ────────────────────────────────┤
//!   watcher: first answers,                 ├──▶ core ──▶ child, rollout, shutdown: values that events change
//!            ends of processes ─────────────┤      │
//!   health: probes ─────────────────────────┘      ├──▶ process: spawned, signalled
//!                                                  ├──▶ balancer_link: the desired state of each node
//!                                                  └──▶ state_file: state.json, for the next supervisor
//! ```
//!
//! Traffic never depends on the supervisor: when it is killed, its children keep running, and the
//! next supervisor adopts them.

mod balancer_link;
mod beam_stats;
mod commands;
mod connection_count;
mod core;
mod drain;
mod eras;
mod event;
mod failover;
mod health;
mod http;
mod logs;
mod nginx;
pub mod node_environment;
pub mod node_program;
mod node_runtime;
mod orphans;
mod overrides;
mod prepare;
mod presence;
mod process;
mod recorder;
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
