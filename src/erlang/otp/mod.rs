//! The Erlang that runs nodes, and what it compiles of ours.
//!
//! ```text
//!   binaries.erl ──▶ Otp ──┐
//!                          ├──▶ Code, compiled once, in the run directory
//!   source in this binary ─┘
//!   nodes of a cluster ──────▶ words on each one's command line, by which they are a mesh
//! ```

mod code;
mod find;
mod home;
pub mod mesh;

pub use code::{Code, CodeError};
pub use find::{Otp, OtpError, undisturbed};
pub use home::{HomeError, settle};
