//! Terms as text: Erlang's syntax in both directions, and JSON.
//!
//! `erl` and [`parse()`] can read what [`flat`] and [`pretty`] print; only functions with an
//! environment, references and ports have no syntax. A pid is written as the node's own shell shows
//! it, `<0.80.0>`, and refers to that node.

mod bits;
mod json;
mod parse;
mod print;
mod scan;
mod word;

pub use json::Json;
pub use parse::parse;
pub use print::{flat, pretty};
pub use scan::SyntaxError;
