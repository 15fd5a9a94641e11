//! Erlang: asking BEAM nodes, running them, and what they are made of.

pub mod beam;
pub mod distribution;
pub mod erlmcp;
pub mod otp;
