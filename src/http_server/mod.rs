//! HTTP/1.1 for few or many clients, within bounds that no kind of client can use up.
//!
//! A connection is in one [`phase`] at a time, and each phase that waits for the client has a
//! timeout. When all [slots](crate::platform::listen::Slots) are in use, the connection that has
//! waited for its client longest is closed in favour of a new one, whether that client sends
//! nothing, half a request, or reads no answer. Only a request that has arrived and is not answered
//! yet keeps its slot.

mod answer;
mod client;
mod phase;
mod serve;
mod stream;

pub use answer::Answer;
pub use client::{Client, Request};
pub use serve::serve;
pub use stream::ClientStream;

#[cfg(test)]
mod tests;
