//! The parts together, with real programs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod haproxy;
