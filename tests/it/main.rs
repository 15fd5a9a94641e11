//! The parts together, with real programs.

mod haproxy;
