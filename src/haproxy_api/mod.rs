//! HAProxy's runtime API: the dialect of its stats socket, spoken by HAProxy and by our own data
//! plane.
//!
//! One line is asked, the answer follows, an empty line ends it, and the connection closes.

mod client;
pub mod server;

pub use client::{
    Flag, Handover, Info, Refused, Row, RuntimeError, ServerHealth, ServerLine, ServerState, Socket,
    StatusPage, StatusPageError, StubStatus,
};
