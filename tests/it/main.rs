//! All integration tests in one binary, with the real haproxy, real nodes, and the real command.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "tests run the binary as a user does")]
#![expect(
    clippy::print_stderr,
    reason = "what a failing test knows, its reader wants to know"
)]
#![expect(unreachable_pub, reason = "nothing is reachable in a test binary")]

mod aging;
mod agreement;
mod alerting;
mod bad_circumstances;
mod beam;
mod bodies;
mod builtin;
mod builtin_http;
mod checking_clients;
mod children;
mod cli;
mod completions;
mod concurrent_commands;
mod connection_stress;
mod descendants;
mod dialect;
mod draining;
mod erlang;
mod erlmcp;
mod external_nodes;
mod failing_over;
mod gateway;
mod haproxy;
mod harness;
mod http_nodes;
mod http_plane;
mod idle_connections;
mod input;
mod json;
mod lifecycle;
mod load_test;
mod lost_state;
mod members;
mod moved_sessions;
mod nginx;
mod node_capacity;
mod node_ending;
mod odd_nodes;
mod overrides;
mod paths;
mod plane;
mod readme;
mod rebalancing;
mod reloading;
mod rendered;
mod sdk;
mod service_manager;
mod sessions;
mod sharded;
mod sharded_sessions;
mod status_and_stats;
mod streaming;
mod switching;
mod tcp_balancing;
mod your_server;
