//! The external term format: terms as bytes.
//!
//! Written is what OTP 23 and newer read; read is also what older ones wrote. Compressed terms are refused, as no node sends
//! them in a message. Everything that is read is bounded: a frame by [`MAX_FRAME`](super::MAX_FRAME), its terms by
//! [`MAX_TERMS`], their nesting by [`MAX_DEPTH`], an integer by [`MAX_INTEGER`].
//!
//! Specification: <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>.

mod decode;
mod encode;
mod tag;

pub use decode::{DecodeError, decode};
pub use encode::encode;

/// How deep terms may be nested: each level is a call on the stack, here and when they are dropped.
pub const MAX_DEPTH: usize = 256;

/// The most terms in one: some 130 MB of memory.
pub const MAX_TERMS: usize = 4 * 1024 * 1024;

/// The most bytes of an integer; printing takes time with the square of them.
pub const MAX_INTEGER: usize = 16 * 1024;
