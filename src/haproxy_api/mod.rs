//! HAProxy's runtime API: the protocol of its stats socket, spoken by HAProxy and by this project's
//! data plane.
//!
//! A command is one line; the answer follows, an empty line ends it, and the connection closes.

mod client;
mod listeners;
pub mod server;

pub use client::{
    Flag, Handover, Info, Refused, Row, RuntimeError, ServerHealth, ServerLine, ServerState, SessionLine,
    Socket, StatusPage, StatusPageError, StubStatus,
};
pub use listeners::take_listeners;
