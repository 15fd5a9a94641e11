//! The balancers, described: what files they read, how they are checked and served. They are only described here;
//! the supervisor does.

use std::path::PathBuf;

/// A file that a balancer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it will be.
    pub path: PathBuf,
    /// What is in it.
    pub content: String,
}
