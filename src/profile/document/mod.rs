//! A profile as it is written: the shape of the YAML, before its values are checked.

mod nodes;
mod traffic;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::nodes::Nodes;
pub use self::nodes::{BusyWait, Erlang, HealthCheck, HealthKind, Restart, Runtime};
pub use self::traffic::{Limits, PerIp, Route, Routing, Sticky, Table, Timeouts};
pub(super) use self::traffic::{Listen, Tls};
use super::balancer_kind::BalancerKind;
use super::rollout::Rollout;
use crate::base::units::{Percent, Period};

/// A whole profile.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Name of the cluster, and of its run directory.
    pub cluster: String,
    /// The balancer that `start` runs by default.
    pub balancer: BalancerKind,
    /// The cluster's members.
    pub nodes: Nodes,
    /// The addresses that clients connect to.
    pub listen: Listen,
    /// How connections are spread.
    pub routing: Routing,
    /// Limits per client address and for the whole cluster.
    pub limits: Limits,
    /// The balancer's health checks.
    pub health: HealthCheck,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// How nodes are replaced while the cluster runs.
    pub rollout: Rollout,
    /// The certificate for the HTTPS listener.
    pub tls: Option<Tls>,
    /// The file to which the built-in balancer logs each request over HTTP.
    pub access_log: Option<PathBuf>,
    /// The values that count as good.
    pub targets: Targets,
    /// Programs with a given path.
    pub binaries: Binaries,
}

impl Document {
    /// Whether all nodes serve MCP over TCP. Otherwise the TCP listener is left out.
    pub(super) fn has_tcp(&self) -> bool {
        match self.nodes.runtime {
            Runtime::External => self.nodes.members.iter().all(|member| member.tcp_port.is_some()),
            _ => self.nodes.tcp_port.is_some(),
        }
    }

    /// Whether every node supports HTTP; if not, there are no HTTP listeners.
    pub(super) fn has_http(&self) -> bool {
        match self.nodes.runtime {
            Runtime::External => self.nodes.members.iter().all(|member| member.http_port.is_some()),
            _ => self.nodes.http_port.is_some(),
        }
    }

    /// The HTTPS port: with a certificate it has a default.
    pub(super) fn https(&self) -> Option<u16> {
        self.listen.https.or(self.tls.as_ref().map(|_| 8443))
    }
}

/// The values that count as good.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// A node's distance from the mean.
    pub tolerance: Percent,
    /// Distance from the mean that raises an alert.
    pub band: Percent,
    /// `(max - min) / mean` of connections per node.
    pub variance: Percent,
    /// `(max - min) / mean` of the nodes' p99 latencies.
    pub latency_variance: Percent,
    /// Latency that 99 of 100 probes must not exceed.
    pub p99: Period,
    /// Time from a node's death until its clients are on other nodes.
    pub failover: Period,
    /// A failover that takes longer raises an alert.
    pub failover_alert: Period,
}

/// Programs with a given path; the others are searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binaries {
    /// HAProxy.
    pub haproxy: Option<PathBuf>,
    /// nginx.
    pub nginx: Option<PathBuf>,
    /// Erlang.
    pub erl: Option<PathBuf>,
}

impl Binaries {
    /// The binary of a balancer, if the profile names it.
    #[must_use]
    pub fn of(&self, kind: BalancerKind) -> Option<&PathBuf> {
        match kind {
            BalancerKind::Haproxy => self.haproxy.as_ref(),
            BalancerKind::Nginx => self.nginx.as_ref(),
            BalancerKind::Builtin => None,
        }
    }

    /// Each path with its key in the profile.
    pub(super) fn paths(&mut self) -> [(&'static str, &mut Option<PathBuf>); 3] {
        [
            ("binaries.haproxy", &mut self.haproxy),
            ("binaries.nginx", &mut self.nginx),
            ("binaries.erl", &mut self.erl),
        ]
    }
}
