//! Where nodes keep what is theirs: a directory of this user's in the run directory.
//!
//! ```text
//!  erlang/home/.erlang.cookie       the cookie, for nobody else to read
//!  erlang/home/erlmcp1.config       what erlmcp1 is told; the cookie is in it, too, and so it goes when the cluster stops
//!  erlang/clusterctl_door-HASH/     what we add, compiled
//!  erlang/nodes/erlmcp1/            where erlmcp1 runs, and what it writes
//! ```

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::platform::RunDir;

/// The nodes' directory.
#[derive(Clone, Debug)]
pub(super) struct Home(pub RunDir);

impl Home {
    /// What nodes are told is their user's home.
    pub(super) fn user(&self) -> PathBuf {
        self.0.erlang_home()
    }

    /// The configuration of the node called `name`.
    pub(super) fn config(&self, name: &str) -> PathBuf {
        self.user().join(format!("{name}.config"))
    }

    /// Where the node called `name` runs.
    pub(super) fn of_node(&self, name: &str) -> PathBuf {
        self.0.erlang().join("nodes").join(name)
    }

    /// Makes that directory, if it is not there.
    pub(super) fn make_of_node(&self, name: &str) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.of_node(name))
    }
}
