//! `clusterctl` generates, starts and supervises a load balancer and a cluster of MCP nodes.
//!
//! The crate is built in layers. A module imports only from lower layers, and not from its own;
//! `tests/architecture.rs` checks this.
//!
//! | layer | modules |
//! | --- | --- |
//! | 6 | [`cli`]: one file per command; the only place that prints |
//! | 5 | [`supervisor`]: keeps running what the profile wants; [`report`]: results as text |
//! | 4 | [`balancer`]: HAProxy and its peers described; [`dataplane`]: the built-in one; [`node`]: the embedded MCP node; [`erlang::beam`]: nodes on Erlang; [`load_test`]: real connections; [`observe`]: measurements |
//! | 3 | [`render`]: configurations; [`haproxy_api`]: HAProxy's runtime API; [`api`]: the supervisor's wire types; [`erlang::erlmcp`]: nodes of erlmcp |
//! | 2 | [`plan`]: what this host can hold; [`probe`]: one health check; [`workers`]: threads with descriptor tables; [`http_server`]: pages and nodes by HTTP; [`erlang::otp`]: the Erlang of this host; [`dataplane_config`]: what the built-in balancer reads |
//! | 1 | [`platform`]: the kernel; [`profile`]: YAML to `Cluster`; [`mcp`]: the protocol; [`erlang::distribution`]: asking BEAM nodes |
//! | 0 | [`base`]: units, statistics, shutdown, telemetry |

pub mod api;
pub mod balancer;
pub mod base;
pub mod cli;
pub mod dataplane;
pub mod dataplane_config;
pub mod erlang;
pub mod haproxy_api;
pub mod http_server;
pub mod load_test;
pub mod mcp;
pub mod node;
pub mod observe;
pub mod plan;
pub mod platform;
pub mod probe;
pub mod profile;
pub mod render;
pub mod report;
pub mod supervisor;
pub mod workers;
