//! Everything tried from outside, in one binary.

mod cli;
mod completions;
mod readme;
