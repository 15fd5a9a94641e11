//! The Erlang that runs nodes, and the code that it compiles.
//!
//! ```text
//!   binaries.erl ──▶ Otp ──┐
//!                          ├──▶ Code, compiled once, in the run directory
//!   source in this binary ─┘
//!   nodes of a cluster ──────▶ arguments of each command line, which connect them to a mesh
//! ```

mod code;
mod find;
mod home;
pub mod mesh;

pub use code::{Code, CodeError};
pub use find::{Otp, OtpError, undisturbed};
pub use home::{HomeError, settle};
