//! The balancers, described: what files they read, how they are checked and served. They are only described here;
//! the supervisor does.

mod builtin;
mod certificate;
mod check;
mod deployment;
mod files;
mod find;
mod haproxy;
mod nginx;
mod orders;
mod overrides;
mod scratch;
mod trial;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use nix::sys::signal::Signal;

pub use builtin::Builtin;
pub use check::CheckError;
pub use deployment::{Away, Deployment};
pub use files::{ConfigFile, FilesError};
pub use find::{FindError, find};
pub use haproxy::Haproxy;
pub use nginx::Nginx;
pub use orders::Orders;
pub use overrides::{Expected, Inspection, Override, Setting};

use crate::plan::ChosenBy;
use crate::platform::{Program, RunDir};
use crate::profile::{BalancerKind, Cluster};
use crate::render::HealthTarget;

/// Who puts a new configuration in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadBy {
    /// A new process, which takes the listeners over; the old one ends with its last connection.
    Successor {
        /// How old a process has to be to hand over all that it knows.
        settled: Duration,
    },
    /// The process that runs: told so by its runtime API, it reads its files again.
    Itself,
    /// New workers of the process that runs, which starts them on this signal; the old ones end with their last
    /// connection. It has no runtime API: orders reach it this way, too.
    Workers(Signal),
}

/// One load balancer. Each is a drop-in for the others.
pub trait Balancer: Send + Sync {
    /// Which one.
    fn kind(&self) -> BalancerKind;

    /// The binary.
    fn path(&self) -> &Path;

    /// The binary's version, as it says itself.
    fn version(&self) -> &str;

    /// The files that it reads, for a fresh start with no node drained or down. The first one is its configuration.
    ///
    /// For any other start, those of [`Balancer::order_files`] are to be written after them. A process that takes over
    /// from an old one finds more in the state file if the old one's `show servers state` is written there just
    /// before: weights, and who is down. Afterwards [`Balancer::order_files`] are due again, or a later start would
    /// believe what was true then.
    ///
    /// # Errors
    /// When a template cannot be filled, or a certificate not read.
    fn files(&self, deployment: Deployment<'_>) -> Result<Vec<ConfigFile>, FilesError>;

    /// Those of the files that say which nodes get nothing new, to be written before an order is given, and before a process
    /// is started: so each knows of it before its first connection.
    ///
    /// # Errors
    /// When a template cannot be filled.
    fn order_files(&self, deployment: Deployment<'_>, away: &Away) -> Result<Vec<ConfigFile>, FilesError>;

    /// Lets the real binary check the files, in a private directory of its own; nothing else is touched. Returns
    /// what it warns of, which should be nothing.
    ///
    /// # Errors
    /// When there are no files, it cannot be run, or refuses them.
    fn check<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<Vec<String>, CheckError>>;

    /// How the instance with this index is run, in front, reading its files in the run directory. It takes the listeners
    /// over from the process `replacing`, which then ends with its last connection; none for a fresh start, or when
    /// there are no [successors](ReloadBy::Successor).
    fn serve(&self, deployment: Deployment<'_>, instance: usize, replacing: Option<u32>) -> Program;

    /// Who puts a new configuration in force, once its files are written.
    fn reload(&self) -> ReloadBy;

    /// After this signal it accepts nothing more, and ends with its last connection.
    fn drain_signal(&self) -> Signal {
        self.kind().facts().drain_signal
    }

    /// After this signal it ends at once.
    fn end_signal(&self) -> Signal {
        Signal::SIGTERM
    }

    /// The runtime API of each instance; none for a balancer without one.
    fn sockets(&self, deployment: Deployment<'_>) -> Vec<PathBuf>;

    /// Where the instance with this index asks for its listeners, when several share them.
    fn handover(&self, _deployment: Deployment<'_>, _instance: usize) -> Option<PathBuf> {
        None
    }

    /// Where a balancer without runtime API serves its status page to us.
    fn status_socket(&self, _run_dir: &RunDir) -> Option<PathBuf> {
        None
    }

    /// Where a balancer without runtime API logs the end of each session and request.
    fn access_log(&self, _run_dir: &RunDir) -> Option<PathBuf> {
        None
    }

    /// What decides which node a new client of a listener gets, by the listener's key in the profile; none where the balancer
    /// deals clients out by turns or by load, over all of them.
    fn chosen_by(&self, deployment: Deployment<'_>, listener: &str) -> Option<ChosenBy>;

    /// The servers that a node's health has to be told to over the runtime API.
    fn health_targets(&self, cluster: &Cluster, node: &str) -> Vec<HealthTarget>;

    /// The frontends of its own pages, by name.
    fn page_frontends(&self, _deployment: Deployment<'_>) -> Vec<&'static str> {
        Vec::new()
    }

    /// How nodes are drained, made ready and cut over the runtime API.
    fn orders(&self, cluster: &Cluster, run_dir: &RunDir) -> Orders;
}
