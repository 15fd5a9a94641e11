//! HTTP/1.1 as a machine without sockets and buffers: bytes in, bytes and decisions out.
//!
//! ```text
//!   bytes ──▶ HeadScan ──▶ parse_request, parse_response ──▶ Body ──▶ Piece ──▶ write_chunk
//!             its end      strictly: one meaning only         the content     framed again
//! ```
//!
//! One request and its answer are an [`Exchange`]:
//!
//! ```text
//!   client                     exchange                         node
//!     │ head ─▶ parse_request ─▶ rules: destination, affinity     │
//!     │                          rules: write_request ──────────▶ │ head
//!     │ body ─▶ Body ──────────▶ the same length, or chunks ────▶ │ body
//!     │                                                           │
//!     │ 1xx  ◀──────────────── answer_head ◀── parse_response ◀── │ 1xx, any number
//!     │ head ◀─ rules: write_response ◀─ answer_head ◀─────────── │ head
//!     │ body ◀─ the same length, chunks, or until close ◀─ Body ◀ │ body
//!     │                                                           │
//!     │ ◀═══════════════ after a 101: bytes as they are ════════▶ │
//! ```
//!
//! The two directions are independent: an answer may come, and end, before its request has ended.

mod body;
mod chars;
mod encode;
mod exchange;
mod gzip;
mod head;
mod headers;
mod message;
mod rejection;
mod request;
mod response;
pub mod rules;
mod target;
#[cfg(test)]
mod tests;

pub use body::{Body, Piece};
pub use encode::{write_chunk, write_last_chunk};
pub use exchange::{AnswerHead, Exchange, Limits, Passed};
pub use gzip::Gzip;
pub use head::{HeadLimits, HeadScan};
pub use headers::{HeaderRoom, MAX_HEADERS, header_room};
pub use message::{Connection, Framing, Request, Response, Version};
pub use rejection::{InvalidAnswer, InvalidBody, Rejection};
pub use request::parse_request;
pub use response::parse_response;
