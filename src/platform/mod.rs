//! The kernel: processes, limits, sockets, `/proc`. All `unsafe` code is here, and only this module
//! starts programs.

pub mod atomic_file;
pub mod config_path;
pub mod connect;
pub mod control_group;
pub mod descriptors;
pub mod executable;
pub mod fd_passing;
pub mod host;
pub mod inherited;
pub mod listen;
pub mod lock;
pub mod mark;
pub mod memory;
pub mod ports;
pub mod private_file;
pub mod process;
pub mod process_table;
pub mod program;
pub mod program_file;
pub mod reaper;
pub mod receive_queue;
pub mod run_dir;
mod self_exe;
pub mod service_manager;
pub mod sock_diag;
pub mod sysctl;
pub mod terminal;
pub mod thread;
pub mod usage;
pub mod worker;

pub use host::Host;
pub use lock::Lock;
pub use ports::Holder;
pub use process::{Identity, Process, boot_id};
pub use program::Program;
pub use program_file::ProgramFile;
pub use run_dir::{Instance, RunDir};
pub use self_exe::self_exe;
pub use usage::Usage;
pub use worker::Worker;
