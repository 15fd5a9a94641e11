//! The kernel: processes, limits, sockets, `/proc`. The only `unsafe` and the only place that starts programs.

pub mod connect;
pub mod descriptors;
pub mod host;
pub mod listen;
pub mod process;
pub mod program;
pub mod run_dir;
pub mod thread;

pub use host::Host;
pub use process::{Identity, Process};
pub use program::Program;
pub use run_dir::RunDir;
