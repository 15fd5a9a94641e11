//! Everything tried from outside, in one binary.

mod cli;
mod completions;
mod harness;
mod lifecycle;
mod readme;
mod troubles;
mod views;
