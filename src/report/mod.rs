//! Results as text for people: pure functions from the API types to a `String`, coloured by
//! [`style`].

mod capacity;
mod clock;
mod column;
mod doctor;
mod emulators;
mod erlang;
mod health;
mod load_test;
mod node_mark;
pub mod numbers;
mod rollout;
mod serving;
mod stats;
mod status;
pub mod style;
mod table;
#[cfg(test)]
mod testing;

pub use capacity::prospect;
pub use clock::timestamp;
pub use doctor::{change, doctor, not_changed, warning};
pub use erlang::{erlang_memory, erlang_nodes, erlang_ports, erlang_processes};
pub use health::health;
pub use load_test::{load_test, load_test_comparison, load_test_page, load_test_progress};
pub use rollout::{failed_rollout, step};
pub use serving::serving;
pub use stats::stats;
pub use status::status;
