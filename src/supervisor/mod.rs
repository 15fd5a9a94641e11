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

mod access_log;
mod acquaintance;
mod census;
mod child;
mod children;
mod comeback;
pub mod command;
mod core;
mod descendants;
mod doorway;
mod drain;
mod draining;
mod emulators;
mod ending;
mod failing;
mod failover;
mod failovers;
mod gathered;
mod ladder;
mod left_behind;
mod listening;
mod look;
mod makings;
mod meter;
mod news;
mod observers;
mod opinions;
mod orders;
mod orphans;
mod overrides;
mod port_check;
mod prepare;
mod presence;
mod promise;
mod pulse;
mod record;
mod reload;
mod reload_reply;
mod reloading;
mod replacement;
mod rereading;
mod restarts;
mod rewriting;
mod rolling;
mod rollout;
mod rotation;
mod router;
mod run;
mod setting;
mod settling;
mod sign;
mod statistics;
mod status_page;
mod steering;
mod succession;
mod supervise;
mod tail;
mod turnover;
mod vitals;
mod voice;
mod watching;
mod writing;

pub use orphans::{end_left_by_dead, stop_orphans, sweep};
pub use prepare::{PrepareError, Prepared};
pub use presence::{Presence, PresenceError};
pub use record::{ChildRecord, Launch, Record, RecordError};
pub use supervise::{SuperviseError, detach, living_pids, supervise, supervise_detached};
