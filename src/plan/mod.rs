//! From what a profile wants and what this host allows to what will be done. Pure.

use std::net::IpAddr;

use crate::profile::BalancerKind;

/// What will be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The balancer.
    pub balancer: BalancerPlan,
    /// Each node.
    pub nodes: NodePlan,
    /// The listen addresses that this host has; at least one.
    pub addresses: Vec<IpAddr>,
    /// Connections that all this can hold.
    pub capacity: u32,
    /// What the profile wants and this host or balancer does not give.
    pub warnings: Vec<Warning>,
}

/// How the balancer runs.
#[derive(Clone, Debug, PartialEq)]
pub struct BalancerPlan {
    /// Which one.
    pub kind: BalancerKind,
    /// Connections that each instance accepts.
    pub maxconn: u32,
    /// `RLIMIT_NOFILE` of each instance.
    pub nofile: u64,
    /// Threads of each instance.
    pub threads: u16,
    /// Processes that share the listeners.
    pub instances: u16,
}

/// How each node runs.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// `RLIMIT_NOFILE` of each node.
    pub nofile: u64,
    /// Worker threads, each with a descriptor table of its own; 0 for nodes that have none of ours.
    pub workers: u16,
    /// Connections that each node can hold; at most the profile's `nodes.maxconn`.
    pub maxconn: u32,
}

/// A wish that is not granted, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What will be different.
    pub what: String,
    /// Why.
    pub why: String,
    /// The command or setting that changes it.
    pub fix: Option<String>,
}
