//! The supervisor: one daemon per cluster that owns every child and keeps the profile's processes
//! running.
//!
//! ```text
//!   CLI ──▶ control socket ──▶ control API ─┐ requests
//!   signals ────────────────────────────────┤
//!   watcher: first answers,                 ├──▶ core ──▶ child, waves, shutdown: values that events change
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
mod change;
mod commands;
mod connection_count;
mod core;
mod drain;
mod eras;
mod event;
mod failover;
mod health;
mod http;
mod listeners;
mod logs;
mod membership;
mod nginx;
pub mod node_environment;
pub mod node_program;
mod node_runtime;
mod notifier;
mod orphans;
mod overrides;
mod prepare;
mod presence;
mod process;
mod rebalance;
mod recorder;
mod recovery;
mod reload;
mod resolver;
mod rollout;
mod run;
mod shards;
mod shutdown;
mod snapshot;
mod spec;
mod state_file;
mod stop_signals;
mod supervise;
mod switch;
mod waves;

pub use change::mixture::SavedOthers;
pub use orphans::{Orphans, end_left_by_dead, stop_orphans, sweep};
pub use prepare::{PrepareError, Prepared};
pub use presence::{Presence, PresenceError};
pub use recovery::{Lost, Marked};
pub use resolver::{ResolveError, resolve_missing};
pub use rollout::saved::SavedRollout;
pub use run::SIGNAL_GRACE;
pub use state_file::{ChildRecord, Launch, Previous, Record, RecordError};
pub use stop_signals::StopSignals;
pub use supervise::{SuperviseError, detach, living_pids, supervise, supervise_detached};
pub use switch::state::SavedSwitch;
