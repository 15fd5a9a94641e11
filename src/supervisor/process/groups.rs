//! The control groups that children's processes join, where the host permits that.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::platform::control_group::{self, ControlGroups};
use crate::platform::mark::RunId;

/// The control groups of a run.
pub(in crate::supervisor) struct Groups {
    own: Option<ControlGroups>,
    /// The directories that this run has created, including those of earlier supervisors.
    directories: BTreeSet<PathBuf>,
}

impl Groups {
    /// Creates this supervisor's group; `former` are the directories of earlier supervisors.
    pub(in crate::supervisor) fn new(run: &RunId, former: BTreeSet<PathBuf>) -> Groups {
        let own = ControlGroups::make(run);
        let mut directories = former;
        directories.extend(own.iter().map(|groups| groups.directory().to_owned()));
        Groups { own, directories }
    }

    /// The file through which a process joins the group of the child with this name.
    pub(in crate::supervisor) fn join(&self, name: &str) -> Option<PathBuf> {
        self.own.as_ref()?.join(name)
    }

    /// The directories that are to be removed in the end.
    pub(in crate::supervisor) fn directories(&self) -> &BTreeSet<PathBuf> {
        &self.directories
    }

    /// Removes the directories, once no process is left in them.
    pub(in crate::supervisor) fn remove(&self) {
        for directory in &self.directories {
            control_group::remove(directory);
        }
    }
}
