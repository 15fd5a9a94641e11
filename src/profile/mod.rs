//! Profiles: a YAML text becomes a [`Cluster`], or a list of everything that is wrong with it.

mod algorithm;
mod balancer_kind;
mod closest;
mod cluster;
mod diff;
mod document;
mod edit;
mod endpoints;
mod environment_file;
mod flow;
mod layer;
mod layers;
mod masking;
mod member;
mod mistyped;
mod node_id;
mod parsed;
mod paths;
mod placeholders;
mod problem;
mod resolve;
mod rollout;
mod rules;
mod schema;
mod shell;
mod source;
mod spans;
mod typed;
mod unknown_keys;

pub use algorithm::{Algorithm, AlgorithmFacts, HashKey};
pub use balancer_kind::{BalancerFacts, BalancerKind, ScaledBy};
pub use closest::closest;
pub use cluster::{Certificate, Cluster, Erlmcp, HttpCheck, Listeners, Node};
pub use diff::{Change, difference};
pub use document::{
    Binaries, BusyWait, Erlang, HealthCheck, HealthKind, Limits, PerIp, Restart, Route, Routing, Runtime,
    Sticky, Table, Targets, Timeouts,
};
pub use edit::{EditError, NewNode, overridden};
pub(crate) use endpoints::ips_overlap;
pub use environment_file::{LineError, parse as parse_environment_file};
pub use node_id::{NodeId, NodeIds};
pub use paths::{PathKind, Paths, is_below};
pub use problem::Problems;
pub use resolve::{Resolved, hosts, is_reachable, load, load_with, show};
pub use rollout::Rollout;
pub use schema::schema;
pub use source::{DEFAULT, EMBEDDED, Source, SourceError, embedded, summary};

#[cfg(test)]
mod tests;
