//! The cluster that a balancer serves.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::plan::Plan;
use crate::platform::RunDir;
use crate::profile::Cluster;
use crate::render::Templates;

/// A cluster to serve: as planned for this host, in its run directory.
#[derive(Clone, Copy, Debug)]
pub struct Deployment<'a> {
    /// The nodes and their settings.
    pub cluster: &'a Cluster,
    /// The plan for this host.
    pub plan: &'a Plan,
    /// The directory of its files.
    pub run_dir: &'a RunDir,
    /// The templates of the configuration.
    pub templates: &'a Templates,
    /// The supervisor owns the listening sockets, and hands them over; else the balancer opens its own.
    pub owned: bool,
    /// How many balancers have served the cluster before this one, without a stop in between: a
    /// former one may still have files in the run directory.
    pub generation: u32,
}

/// The orders in force that a balancer reads from its files: the nodes that get no new clients, by
/// name, and the announcement of a stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Away {
    /// The nodes that an operator's order drained.
    pub drained: BTreeSet<String>,
    /// The nodes that do not serve, or must not serve yet. A balancer with its own checks starts
    /// with them down, and then uses its checks.
    pub down: BTreeSet<String>,
    /// Whether it is announced that the cluster stops: `/ready` answers 503.
    pub announced: bool,
    /// The time over which the balancer closes the connections that are left when it ends.
    pub over: Duration,
}

impl Away {
    /// The nodes that were `drained`, while all others count as up.
    #[must_use]
    pub fn drained(drained: impl IntoIterator<Item = String>) -> Away {
        Away {
            drained: drained.into_iter().collect(),
            ..Away::default()
        }
    }

    /// All of these nodes, whatever the reason.
    #[must_use]
    pub fn all(&self) -> BTreeSet<String> {
        self.drained.union(&self.down).cloned().collect()
    }
}
