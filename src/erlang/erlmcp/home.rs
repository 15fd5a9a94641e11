//! The nodes' files: a directory of this user in the run directory.
//!
//! ```text
//!  erlang/home/.erlang.cookie       the cookie, which only the owner can read
//!  erlang/home/erlmcp1.config       configuration of erlmcp1; includes the cookie, so it is removed when the cluster stops
//!  erlang/clusterctl_door-HASH/     additional code, compiled
//!  erlang/nodes/erlmcp1/            working directory of erlmcp1, and its files
//! ```

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::platform::RunDir;

/// The directory of the nodes' files.
#[derive(Clone, Debug)]
pub(super) struct Home(pub RunDir);

impl Home {
    /// The directory that nodes get as `HOME`.
    pub(super) fn user(&self) -> PathBuf {
        self.0.erlang_home()
    }

    /// The configuration of the node called `name`.
    pub(super) fn config(&self, name: &str) -> PathBuf {
        self.user().join(format!("{name}.config"))
    }

    /// The working directory of the node called `name`.
    pub(super) fn of_node(&self, name: &str) -> PathBuf {
        self.0.erlang().join("nodes").join(name)
    }

    /// Creates the working directory of a node, if it is missing.
    pub(super) fn make_of_node(&self, name: &str) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.of_node(name))
    }
}
