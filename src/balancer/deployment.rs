//! What a balancer is described for.

use std::collections::BTreeSet;

use crate::plan::Plan;
use crate::platform::RunDir;
use crate::profile::Cluster;
use crate::render::Templates;

/// A cluster that is to be served: as planned for this host, in its run directory.
#[derive(Clone, Copy, Debug)]
pub struct Deployment<'a> {
    /// The nodes, and what is wanted of them.
    pub cluster: &'a Cluster,
    /// What this host allows.
    pub plan: &'a Plan,
    /// Where its files are.
    pub run_dir: &'a RunDir,
    /// What configurations are made of.
    pub templates: &'a Templates,
}

/// The nodes that get nothing new, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Away {
    /// By an operator's order.
    pub drained: BTreeSet<String>,
    /// Because they do not serve, or shall not yet. A balancer with checks of its own is to begin so, and then goes by those.
    pub down: BTreeSet<String>,
}

impl Away {
    /// Those that were `drained`, with no doubt about others.
    #[must_use]
    pub fn drained(drained: impl IntoIterator<Item = String>) -> Away {
        Away {
            drained: drained.into_iter().collect(),
            down: BTreeSet::new(),
        }
    }

    /// All of them, for whatever reason.
    #[must_use]
    pub fn all(&self) -> BTreeSet<String> {
        self.drained.union(&self.down).cloned().collect()
    }
}
