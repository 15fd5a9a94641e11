//! `clusterctl` generates, starts and supervises a load balancer and a cluster of MCP nodes.
//!
//! The house is built in layers. A module imports only from lower layers, and siblings do not know one another;
//! `tests/architecture.rs` keeps it so.
//!
//! | layer | modules |
//! | --- | --- |
//! | 6 | [`cli`]: one file per command; the only place that prints |
//! | 5 | [`supervisor`]: what the profile wants, kept alive; [`report`]: results as text |
//! | 4 | [`balancer`]: HAProxy and its peers described; [`dataplane`]: the built-in one; [`node`]: the embedded MCP node; [`beam`]: those on Erlang; [`loadtest`]: connections for real; [`observe`]: what is measured |
//! | 3 | [`render`]: configurations; [`runtime`]: HAProxy's stats socket; [`api`]: the supervisor's wire types; [`erlmcp`]: nodes made of that |
//! | 2 | [`plan`]: what this host can hold; [`probe`]: one health check; [`workers`]: threads with descriptor tables; [`otp`]: the Erlang of this host |
//! | 1 | [`platform`]: the kernel; [`profile`]: YAML to `Cluster`; [`mcp`]: the protocol; [`erlang`]: BEAM nodes, asked |
//! | 0 | [`units`], [`stats`], [`shutdown`], [`telemetry`] |

pub mod api;
pub mod balancer;
pub mod beam;
pub mod cli;
pub mod dataplane;
pub mod erlang;
pub mod erlmcp;
pub mod loadtest;
pub mod mcp;
pub mod node;
pub mod observe;
pub mod otp;
pub mod plan;
pub mod platform;
pub mod probe;
pub mod profile;
pub mod render;
pub mod report;
pub mod runtime;
pub mod shutdown;
pub mod stats;
pub mod supervisor;
pub mod telemetry;
pub mod units;
pub mod workers;
