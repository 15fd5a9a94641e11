//! The cluster that a balancer serves.

use std::collections::BTreeSet;

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
}

/// The nodes that get no new clients, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Away {
    /// The nodes that an operator's order drained.
    pub drained: BTreeSet<String>,
    /// The nodes that do not serve, or must not serve yet. A balancer with its own checks starts
    /// with them down, and then uses its checks.
    pub down: BTreeSet<String>,
}

impl Away {
    /// The nodes that were `drained`, while all others count as up.
    #[must_use]
    pub fn drained(drained: impl IntoIterator<Item = String>) -> Away {
        Away {
            drained: drained.into_iter().collect(),
            down: BTreeSet::new(),
        }
    }

    /// All of these nodes, whatever the reason.
    #[must_use]
    pub fn all(&self) -> BTreeSet<String> {
        self.drained.union(&self.down).cloned().collect()
    }
}
