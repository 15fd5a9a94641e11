//! Everything tried from outside, in one binary: the real haproxy, real nodes, the real command.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "tests run the binary as a user does")]
#![expect(
    clippy::print_stderr,
    reason = "what a failing test knows, its reader wants to know"
)]
#![expect(unreachable_pub, reason = "nothing is reachable in a test binary")]

mod agreement;
mod alerting;
mod beam;
mod builtin;
mod carrying;
mod churn;
mod cli;
mod completions;
mod descendants;
mod dialect;
mod draining;
mod elsewhere;
mod erlang;
mod erlmcp;
mod failing_over;
mod gateway;
mod haproxy;
mod harness;
mod holding;
mod hurry;
mod input;
mod json;
mod lifecycle;
mod load_test;
mod nginx;
mod overrides;
mod plane;
mod readme;
mod reloading;
mod sdk;
mod sessions;
mod sharded;
mod sharded_sessions;
mod streaming;
mod troubles;
mod views;
