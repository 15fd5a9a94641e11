//! Erlang: querying BEAM nodes, running them, and their code.

pub mod beam;
pub mod distribution;
pub mod erlmcp;
pub mod otp;
