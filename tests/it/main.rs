//! Everything tried from outside, in one binary: the real haproxy, real nodes, the real command.

mod cli;
mod completions;
mod haproxy;
mod harness;
mod lifecycle;
mod readme;
mod troubles;
mod views;
