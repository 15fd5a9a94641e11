//! The client: sends one command at a time, and reads its answer.

mod answer;
mod error;
mod handover;
mod idle;
mod info;
mod list;
mod merged;
mod reload;
mod row;
mod server;
mod servers;
mod sessions;
mod socket;
mod status_page;
mod table;

pub use answer::Refused;
pub use error::RuntimeError;
pub use handover::Handover;
pub use info::Info;
pub use row::Row;
pub use server::{ServerHealth, ServerState};
pub use servers::{Flag, ServerLine};
pub use sessions::SessionLine;
pub use socket::Socket;
pub use status_page::{StatusPage, StatusPageError, StubStatus};
