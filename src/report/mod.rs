//! Results as text for people: pure functions from the API types to a `String`, coloured by
//! [`style`].

mod capacity;
mod change;
mod clock;
mod column;
mod doctor;
mod emulators;
mod erlang;
mod health;
mod load_test;
mod node_mark;
pub mod numbers;
mod progress;
mod rebalancing;
mod rollout;
mod serving;
mod stats;
mod status;
pub mod style;
mod switching;
mod table;
#[cfg(test)]
mod testing;

pub use capacity::prospect;
pub use change::{change_plan, changed_nodes};
pub use clock::timestamp;
pub use doctor::{change, doctor, not_changed, warning};
pub use erlang::{erlang_memory, erlang_nodes, erlang_ports, erlang_processes};
pub use health::health;
pub use load_test::{load_test, load_test_comparison, load_test_page, load_test_progress};
pub use progress::{failed_progress, step};
pub use rebalancing::{rebalance_ended, rebalance_plan};
pub use rollout::{ended_rollout, rollout_step, stopped_rollout};
pub use serving::serving;
pub use stats::stats;
pub use status::status;
pub use switching::{switch_plan, switched};
