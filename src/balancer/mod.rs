//! Descriptions of the balancers: which files they read, how they are checked and served. This
//! module only describes them; the supervisor runs them.

mod builtin;
mod certificate;
mod check;
mod deployment;
mod differences;
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
pub use differences::{differences, listeners, warnings};
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

/// Which process puts a new configuration in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadBy {
    /// A new process, which takes over the listeners; the old process ends with its last
    /// connection.
    Successor {
        /// How old a process has to be to transfer all of its state.
        settled: Duration,
    },
    /// The running process: it reads its files again after a command of its runtime API.
    Itself,
    /// New workers of the running process, which starts them on this signal; the old workers end
    /// with their last connection. This balancer has no runtime API: changes of nodes reach it in
    /// the same way.
    Workers(Signal),
}

/// One load balancer. Each can replace the others.
pub trait Balancer: Send + Sync {
    /// The kind of this balancer.
    fn kind(&self) -> BalancerKind;

    /// The binary.
    fn path(&self) -> &Path;

    /// The version that the binary reports.
    fn version(&self) -> &str;

    /// The files that it reads, for a first start with no node drained or down. The first file is
    /// its configuration.
    ///
    /// For any other start, the files of [`Balancer::order_files`] have to be written after them. A
    /// process that takes over from an old one finds more in the state file if the old one's `show
    /// servers state` is written to it just before: weights, and which nodes are down. Afterwards
    /// [`Balancer::order_files`] have to be written again, because a later start would use the
    /// outdated states.
    ///
    /// # Errors
    /// When a template cannot be filled, or a certificate cannot be read.
    fn files(&self, deployment: Deployment<'_>) -> Result<Vec<ConfigFile>, FilesError>;

    /// The files that list the nodes without new clients. They are written before an order is sent,
    /// and before a process is started, so that every process knows the order before its first
    /// connection.
    fn order_files(&self, deployment: Deployment<'_>, away: &Away) -> Result<Vec<ConfigFile>, FilesError>;

    /// Lets the real binary check the files in a private directory; nothing else is touched.
    /// Returns its warnings, of which there should be none.
    ///
    /// # Errors
    /// When the files cannot be made, or the binary cannot be run or rejects them.
    fn check<'a>(&'a self, deployment: Deployment<'a>) -> BoxFuture<'a, Result<Vec<String>, CheckError>>;

    /// The program of the instance with this index, which runs in the foreground and reads its
    /// files in the run directory. It takes over from the process `replacing`, which then ends with
    /// its last connection; `None` for a first start, or without [successors](ReloadBy::Successor).
    fn serve(&self, deployment: Deployment<'_>, instance: usize, replacing: Option<u32>) -> Program;

    /// Which process puts a new configuration in force, once its files are written.
    fn reload(&self) -> ReloadBy;

    /// After this signal it accepts no more connections, and ends with its last one.
    fn drain_signal(&self) -> Signal {
        self.kind().facts().drain_signal
    }

    /// After this signal it ends at once.
    fn end_signal(&self) -> Signal {
        Signal::SIGTERM
    }

    /// The runtime API sockets, one of each instance; empty for a balancer without a runtime API.
    fn sockets(&self, deployment: Deployment<'_>) -> Vec<PathBuf>;

    /// The socket from which the instance with this index gets its listeners, which the supervisor
    /// has opened; `None` for a balancer that opens them itself.
    fn handover(&self, _deployment: Deployment<'_>, _instance: usize) -> Option<PathBuf> {
        None
    }

    /// Whether it inherits its listeners as descriptors of the process that starts it; see
    /// [`Balancer::inherit`].
    fn inherits(&self) -> bool {
        self.kind().facts().inherits_listeners
    }

    /// The `program` of [`Balancer::serve`], which inherits this number of `listeners` as the
    /// descriptors 3, 4, and so on. For each public address there are as many as the plan has
    /// [`sockets`](crate::plan::BalancerPlan::sockets), and one for each page, in any order.
    fn inherit(&self, program: Program, _listeners: usize) -> Program {
        program
    }

    /// The socket on which a balancer without a runtime API serves its status page to the
    /// supervisor.
    fn status_socket(&self, _deployment: Deployment<'_>) -> Option<PathBuf> {
        None
    }

    /// Where a balancer without runtime API logs the end of each session and request.
    fn access_log(&self, _run_dir: &RunDir) -> Option<PathBuf> {
        None
    }

    /// What decides which node a new client of a listener gets, by the listener's key in the
    /// profile; none where the balancer deals clients out by turns or by load, over all of them.
    fn chosen_by(&self, deployment: Deployment<'_>, listener: &str) -> Option<ChosenBy>;

    /// The servers that must be updated over the runtime API when a node's health changes.
    fn health_targets(&self, cluster: &Cluster, node: &str) -> Vec<HealthTarget>;

    /// The frontends of its own pages, by name.
    fn page_frontends(&self, _deployment: Deployment<'_>) -> Vec<&'static str> {
        Vec::new()
    }

    /// How nodes are drained, made ready and disconnected over the runtime API.
    fn orders(&self, cluster: &Cluster, run_dir: &RunDir) -> Orders;
}
