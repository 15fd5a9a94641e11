//! Terms as people write them: Erlang's syntax, both ways, and JSON.
//!
//! What [`flat`] and [`pretty`] print, `erl` reads back, and [`parse()`] does; only functions with an environment, references
//! and ports have no syntax. A pid is written as the node's own shell shows it, `<0.80.0>`, and means that node's.

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
