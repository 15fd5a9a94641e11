//! A rollout in the state file, for the next supervisor.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::api::{EndedRollout, RolloutKind};
use crate::base::units::Period;
use crate::supervisor::state_file::Previous;

/// A rollout in the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedRollout {
    pub(in crate::supervisor) kind: RolloutKind,
    pub(in crate::supervisor) by: String,
    pub(in crate::supervisor) since: SystemTime,
    pub(in crate::supervisor) batch: usize,
    /// The time that connections of a drained node get until they are closed; null for no limit.
    pub(in crate::supervisor) close_after: Option<Period>,
    /// Nodes that it keeps clients from, by name.
    pub(in crate::supervisor) drained: BTreeSet<String>,
    /// Nodes that it has started again, by name.
    pub(in crate::supervisor) replaced: BTreeSet<String>,
    /// Nodes that it has added, by name.
    #[serde(default)]
    pub(in crate::supervisor) added: BTreeSet<String>,
    /// The target, until it is in force for the first time.
    #[serde(default)]
    pub(in crate::supervisor) pending: Option<Previous>,
    /// Why it has stopped; null while it goes on.
    pub(in crate::supervisor) stopped: Option<String>,
    /// The failed rollout that is undone, or is about to be.
    #[serde(default)]
    pub(in crate::supervisor) undoes: Option<EndedRollout>,
}

impl SavedRollout {
    /// Whether it has failed, and what ran before was about to be restored.
    pub(in crate::supervisor) fn is_to_be_undone(&self) -> bool {
        self.undoes.is_some() && self.kind != RolloutKind::Undo
    }
}
