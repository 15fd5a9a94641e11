//! The external term format: terms as bytes.
//!
//! The encoder writes what OTP 23 and newer can read; the decoder reads what older ones wrote, too.
//! Compressed terms are refused, because no node sends them in a message. All input is limited: a
//! frame by [`MAX_FRAME`](super::MAX_FRAME), its terms by [`MAX_TERMS`], their nesting by
//! [`MAX_DEPTH`], an integer by [`MAX_INTEGER`].
//!
//! Specification: <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>.

mod decode;
mod encode;
mod tag;

pub use decode::{DecodeError, decode};
pub use encode::encode;

/// The deepest nesting of terms: each level is a call on the stack, in the decoder and on drop.
pub const MAX_DEPTH: usize = 256;

/// The most terms within one: about 130 MB of memory.
pub const MAX_TERMS: usize = 4 * 1024 * 1024;

/// The most bytes of an integer; the time to print one grows with their square.
pub const MAX_INTEGER: usize = 16 * 1024;
