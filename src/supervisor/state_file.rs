//! `state.json`: what a new supervisor needs to adopt the children of a dead one.
//!
//! | version | written by | differences |
//! | --- | --- | --- |
//! | 1 | 0.1.0 | |
//! | 2 | later programs | `written_by`; `sockets` and `generation` in `launch` |
//!
//! An older version is read: what it lacks has a default. Unknown keys are ignored. A newer version
//! is not interpreted, because its keys may have another meaning. What happens to the processes of a
//! file that cannot be used is in `recovery`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::change::mixture::SavedOthers;
use super::drain::state::Drain;
use super::listeners::SavedGroup;
use super::node_environment::NodeEnvironment;
use super::overrides::SavedOverride;
use super::recovery::set_aside;
use super::rollout::saved::SavedRollout;
use super::switch::state::SavedSwitch;
use crate::api::Only;
use crate::balancer::Away;
use crate::base::units::{Period, excerpt};
use crate::platform::atomic_file;
use crate::platform::mark::RunId;
use crate::platform::{Identity, Lock, RunDir, boot_id};
use crate::profile::{BalancerKind, HttpCheck, Node, NodeIds, Resolved, Source};

/// Version of this file's format.
const VERSION: u32 = 2;
/// The program's version, for the reader of a file that an older program cannot use.
const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");
/// A longer file is not a state file; those of the largest clusters have some 100 kB.
const MAX_BYTES: u64 = 16 << 20;
/// Time for a supervisor to write a damaged file again.
const REWRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two attempts to read it.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What a supervisor is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The profile.
    pub source: Source,
    /// The balancer.
    pub balancer: BalancerKind,
    /// Half of the cluster, or all of it.
    pub only: Option<Only>,
    /// The directory of templates that replace the embedded ones.
    pub templates: Option<PathBuf>,
    /// Time for everything to serve.
    pub timeout: Period,
    /// How long a signal that stops the cluster is announced.
    #[serde(default)]
    pub announce: Period,
    /// The time over which connections are closed after such a signal.
    #[serde(default)]
    pub over: Period,
    /// The number of this run, by which the descendants of its children are known.
    #[serde(default)]
    pub run_id: RunId,
    /// The check over HTTP that the nodes were found to answer, where `health.kind` is `auto`.
    #[serde(default)]
    pub http_check: Option<HttpCheck>,
    /// The number of listening sockets that are open for each public address; 0 before the first
    /// start of a balancer.
    #[serde(default)]
    pub sockets: u16,
    /// Counts the balancers that have taken over from another kind since the start.
    #[serde(default)]
    pub generation: u32,
    /// The addresses of the profile's host names.
    #[serde(default)]
    pub resolved: Resolved,
    /// The ids of the nodes. Those of earlier versions were positions.
    #[serde(default)]
    pub ids: NodeIds,
    /// The profile before the latest change, to which it can be undone.
    #[serde(default)]
    pub previous: Option<Previous>,
    /// Nodes that still run as another profile describes them.
    #[serde(default)]
    pub others: Vec<SavedOthers>,
}

/// What ran before a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// The profile.
    pub source: Source,
    /// The directory of templates that replaced the embedded ones.
    pub templates: Option<PathBuf>,
    /// The variables of the nodes, which may be secrets; `None` under a later supervisor, because the
    /// state file does not have them.
    #[serde(skip)]
    pub environment: Option<NodeEnvironment>,
}

/// What a supervisor runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// The version of the program that wrote the file.
    #[serde(default)]
    written_by: String,
    /// What was to be run.
    pub launch: Launch,
    supervisor: Identity,
    /// What was running when this was written.
    pub children: Vec<ChildRecord>,
    /// The boot in which the file was written: pids of another boot mean nothing.
    #[serde(default)]
    boot: Option<String>,
    /// Operators' drain orders, by node name.
    #[serde(default)]
    pub(super) drains: BTreeMap<String, Drain>,
    /// Nodes that get no clients because they do not serve, or must not yet.
    #[serde(default)]
    pub(super) down: BTreeSet<String>,
    /// Nodes that have had less time than the others to get connections.
    #[serde(default)]
    pub(super) filling: BTreeSet<String>,
    /// Settings by others at balancer instances.
    #[serde(default)]
    pub(super) overrides: Vec<SavedOverride>,
    /// The sockets that the balancer has, by address.
    #[serde(default)]
    pub(super) listeners: BTreeMap<SocketAddr, SavedGroup>,
    /// The run directory; earlier versions recorded none.
    #[serde(default)]
    run_dir: Option<PathBuf>,
    /// The balancer that is being switched to.
    #[serde(default)]
    pub(super) switch: Option<SavedSwitch>,
    /// The rollout that goes on, or has stopped.
    #[serde(default)]
    pub(super) rollout: Option<SavedRollout>,
    /// Nodes that are not part of the cluster any more, and whose processes still run.
    #[serde(default)]
    pub(super) former: Vec<Node>,
    /// Directories of control groups that were created for the children.
    #[serde(default)]
    pub(super) control_groups: BTreeSet<PathBuf>,
}

/// One running child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the file's format since its first version"
)]
pub struct ChildRecord {
    /// A node's name, or the balancer's kind.
    pub name: String,
    /// The index of a balancer instance.
    #[serde(default)]
    pub instance: usize,
    /// Whether it is a balancer instance whose place another one has taken.
    #[serde(default)]
    pub retired: bool,
    /// Whether it is a balancer instance that is about to take another one's place.
    #[serde(default)]
    pub successor: bool,
    /// Whether it is an instance of the balancer that is being switched to.
    #[serde(default)]
    pub incoming: bool,
    /// When a retired instance is ended, in seconds since 1970.
    #[serde(default)]
    pub ends_at: Option<u64>,
    /// Whether it is a balancer instance that still uses the configuration from before the last
    /// reload.
    #[serde(default)]
    pub outdated: bool,
    /// Its process.
    pub process: Identity,
    /// Its restarts since the start of the cluster.
    pub restarts: u32,
}

/// The part of every version by which it is recognised.
#[derive(Deserialize)]
struct Header {
    version: u32,
    #[serde(default)]
    written_by: String,
}

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has the wrong content.
    #[error("`{}` is not a usable state file: {why}", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file is missing, although a supervisor has run and was not stopped.
    #[error("`{}` is missing", .0.display())]
    Missing(PathBuf),
    /// A newer program has written the file.
    #[error(
        "`{}` has version {version} of the format, written by clusterctl {written_by}; \
         this is clusterctl {PROGRAM_VERSION}, which reads versions up to {VERSION}", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
        /// The version of the program that wrote it.
        written_by: String,
    },
}

impl Record {
    pub(super) fn new(
        launch: Launch,
        children: Vec<ChildRecord>,
        drains: BTreeMap<String, Drain>,
        down: BTreeSet<String>,
        filling: BTreeSet<String>,
    ) -> Record {
        Record {
            version: VERSION,
            written_by: PROGRAM_VERSION.to_owned(),
            launch,
            supervisor: Identity::own(),
            children,
            boot: boot_id(),
            drains,
            down,
            filling,
            overrides: Vec::new(),
            listeners: BTreeMap::new(),
            run_dir: None,
            switch: None,
            rollout: None,
            former: Vec::new(),
            control_groups: BTreeSet::new(),
        }
    }

    /// Reads the state file in `run_dir`; `None` when there is none, as after a stop.
    ///
    /// # Errors
    /// When the file cannot be read, has the wrong content, or is of a newer program.
    pub fn read(run_dir: &RunDir) -> Result<Option<Record>, RecordError> {
        let path = run_dir.state_file();
        match content(&path) {
            Ok(content) => parse(path, &content)?.of(run_dir).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RecordError::Read { path, source }),
        }
    }

    /// Reads the state file of a supervisor that runs. If the file was damaged or removed, the
    /// supervisor writes it again in a moment, which is waited for.
    ///
    /// # Errors
    /// When the file still cannot be used after that.
    pub async fn of_running(run_dir: &RunDir) -> Result<Option<Record>, RecordError> {
        let deadline = Instant::now() + REWRITE_TIMEOUT;
        loop {
            let read = Record::read(run_dir);
            let runs = Lock::is_held(&run_dir.lock_file()).unwrap_or(false);
            if matches!(read, Ok(Some(_))) || !runs || Instant::now() >= deadline {
                return read;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Replaces the state file in `run_dir`. Returns its content.
    pub(super) fn write(&self, run_dir: &RunDir) -> io::Result<Vec<u8>> {
        let path = run_dir.state_file();
        let content = serde_json::to_vec_pretty(self)?;
        if path.is_dir() {
            // It cannot be replaced by a file.
            set_aside(run_dir)?;
        }
        atomic_file::replace(&path, &content, atomic_file::PRIVATE)?;
        Ok(content)
    }

    /// The record, if it is that of `run_dir`: a copied file names the processes of another cluster.
    fn of(self, run_dir: &RunDir) -> Result<Record, RecordError> {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match &self.run_dir {
            Some(other) if real(other) != real(run_dir.path()) => Err(RecordError::Broken {
                path: run_dir.state_file(),
                why: format!("it is that of `{}`", other.display()),
            }),
            _ => Ok(self),
        }
    }

    /// The run directory that the record is kept in.
    pub(super) fn set_run_dir(&mut self, run_dir: &RunDir) {
        self.run_dir = Some(run_dir.path().to_owned());
    }

    /// The inodes of the cluster's listeners.
    pub(super) fn inodes(&self) -> BTreeSet<u64> {
        let inodes = self.listeners.values().flat_map(|saved| &saved.inodes);
        inodes.filter_map(|inode| *inode).collect()
    }

    /// The switch that the supervisor had not finished.
    #[must_use]
    pub const fn unfinished_switch(&self) -> Option<SavedSwitch> {
        self.switch
    }

    /// The cluster starts again with another profile than that of its rollout.
    pub(super) fn forget_rollout(&mut self) {
        self.rollout = None;
    }

    /// The supervisor that wrote this, which may have ended.
    #[must_use]
    pub const fn supervisor(&self) -> Identity {
        self.supervisor
    }

    /// The children that still live.
    #[must_use]
    pub fn living(&self) -> Vec<&ChildRecord> {
        self.children
            .iter()
            .filter(|child| child.process.is_alive())
            .collect()
    }

    /// Whether its pids belong to this boot.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot.is_some() && self.boot == boot_id()
    }

    /// The nodes that get no new connections.
    pub(super) fn away(&self) -> Away {
        Away {
            down: self.down.clone(),
            ..Away::drained(self.drains.keys().cloned())
        }
    }

    /// Settings by others at balancer instances that are still alive.
    pub(super) fn overrides(&self) -> impl Iterator<Item = &SavedOverride> {
        let living = self.instances();
        let overrides = self.overrides.iter();
        overrides.filter(move |it| living.contains(&it.instance))
    }

    /// The indices of the balancer instances that are still alive and take clients.
    pub(super) fn instances(&self) -> BTreeSet<usize> {
        self.balancers().into_keys().collect()
    }

    /// The balancer instances that are still alive and take clients.
    pub(super) fn balancers(&self) -> BTreeMap<usize, Identity> {
        let living = self.living().into_iter();
        let is_balancer = |child: &&ChildRecord| {
            child.name == self.launch.balancer.name() && !child.retired && !child.incoming
        };
        living
            .filter(is_balancer)
            .map(|child| (child.instance, child.process))
            .collect()
    }
}

/// The content of the file at `path`. Anything but a file is an error: reading a pipe could take
/// forever.
pub(super) fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut content = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    Ok(content)
}

// Private

fn parse(path: PathBuf, content: &[u8]) -> Result<Record, RecordError> {
    let broken = |path, why| Err(RecordError::Broken { path, why });
    if content.len() as u64 > MAX_BYTES {
        return broken(path, format!("it has more than {} MiB", MAX_BYTES >> 20));
    }
    if content.trim_ascii().is_empty() {
        return broken(path, "it is empty".to_owned());
    }
    let header = match serde_json::from_slice::<Header>(content) {
        Ok(header) => header,
        Err(error) => return broken(path, in_words(&error)),
    };
    if header.version > VERSION {
        return Err(RecordError::Newer {
            path,
            version: header.version,
            written_by: match header.written_by.as_str() {
                "" => "of an unknown version".to_owned(),
                version => excerpt(version),
            },
        });
    }
    match serde_json::from_slice::<Record>(content) {
        Ok(record) if !record.launch.ids.is_sound() => {
            broken(path, "it gives nodes ids that no cluster gives".to_owned())
        }
        Ok(record) => Ok(record),
        Err(error) => broken(path, in_words(&error)),
    }
}

fn in_words(error: &serde_json::Error) -> String {
    if error.is_eof() {
        format!("it is truncated after line {}", error.line())
    } else {
        error.to_string()
    }
}
