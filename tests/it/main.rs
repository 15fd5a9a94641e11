//! Integration tests on real processes: the real haproxy, real nodes, the real binary.

mod harness;
mod lifecycle;
mod troubles;
mod views;
