//! `state.json`: what a new supervisor needs to adopt the children of a dead one.

use crate::platform::atomic_file;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::drain::state::Drain;
use super::overrides::SavedOverride;
use crate::api::Only;
use crate::balancer::Away;
use crate::base::units::Period;
use crate::platform::listen::Places;
use crate::platform::mark::RunId;
use crate::platform::{Identity, RunDir, boot_id};
use crate::profile::{BalancerKind, HttpCheck, Source};

/// Version of this file's format.
const VERSION: u32 = 1;

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
    /// The number of this run, by which the descendants of its children are known.
    #[serde(default)]
    pub run_id: RunId,
    /// The check over HTTP that the nodes were found to answer, where `health.kind` is `auto`.
    #[serde(default)]
    pub http_check: Option<HttpCheck>,
}

/// What a supervisor runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
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
    /// Where the listeners of several balancer instances are, for each address that they share.
    #[serde(default)]
    pub(super) places: BTreeMap<SocketAddr, Places>,
    /// Directories of control groups that were created for the children.
    #[serde(default)]
    pub(super) control_groups: BTreeSet<PathBuf>,
}

/// One running child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether it is a balancer instance that still uses the configuration from before the last
    /// reload.
    #[serde(default)]
    pub outdated: bool,
    /// Its process.
    pub process: Identity,
    /// Its restarts since the start of the cluster.
    pub restarts: u32,
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
    #[error("`{}` is not a state file of this version: {why}", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Record {
    pub(super) fn new(
        launch: Launch,
        children: Vec<ChildRecord>,
        drains: BTreeMap<String, Drain>,
        down: BTreeSet<String>,
        filling: BTreeSet<String>,
        places: BTreeMap<SocketAddr, Places>,
    ) -> Record {
        Record {
            version: VERSION,
            launch,
            supervisor: Identity::own(),
            children,
            boot: boot_id(),
            drains,
            down,
            filling,
            overrides: Vec::new(),
            places,
            control_groups: BTreeSet::new(),
        }
    }

    /// Reads the state file in `run_dir`; `None` when there is none, as after a stop.
    ///
    /// # Errors
    /// When the file cannot be read, or has the wrong content.
    pub fn read(run_dir: &RunDir) -> Result<Option<Record>, RecordError> {
        let path = run_dir.state_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RecordError::Read { path, source }),
        };
        match serde_json::from_str::<Record>(&text) {
            Ok(record) if record.version == VERSION => Ok(Some(record)),
            Ok(record) => {
                let why = format!("it has version {}, not {VERSION}", record.version);
                Err(RecordError::Broken { path, why })
            }
            Err(error) => Err(RecordError::Broken {
                path,
                why: error.to_string(),
            }),
        }
    }

    pub(super) fn write(&self, run_dir: &RunDir) -> io::Result<()> {
        atomic_file::replace(
            &run_dir.state_file(),
            &serde_json::to_vec_pretty(self)?,
            atomic_file::PRIVATE,
        )
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
        let living = self.living().into_iter();
        living
            .filter(|child| child.name == self.launch.balancer.name() && !child.retired)
            .map(|child| child.instance)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        Launch {
            source: Source::read("default").unwrap(),
            balancer: BalancerKind::Haproxy,
            only: None,
            templates: None,
            timeout: "30s".parse().unwrap(),
            run_id: RunId::random().unwrap(),
            http_check: None,
        }
    }

    #[test]
    fn written_files_are_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path());
        assert_eq!(Record::read(&run_dir).unwrap(), None);
        let own = ChildRecord {
            name: "erlmcp1".into(),
            instance: 0,
            retired: false,
            successor: false,
            outdated: false,
            process: Identity::own(),
            restarts: 2,
        };
        let gone = ChildRecord {
            process: Identity {
                pid: own.process.pid,
                start_time: 1,
            },
            ..own.clone()
        };
        let record = Record::new(
            launch(),
            vec![own.clone(), gone],
            BTreeMap::new(),
            BTreeSet::from(["erlmcp2".to_owned()]),
            BTreeSet::from(["erlmcp3".to_owned()]),
            BTreeMap::from([("127.0.0.1:8000".parse().unwrap(), Places::in_order(3))]),
        );
        record.write(&run_dir).unwrap();
        let read = Record::read(&run_dir).unwrap().unwrap();
        assert_eq!(read, record);
        assert_eq!(read.living(), [&own]);
    }

    #[test]
    fn broken_files_are_errors_that_name_them() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path());
        let mut other = serde_json::to_value(Record::new(
            launch(),
            Vec::new(),
            BTreeMap::new(),
            BTreeSet::new(),
            BTreeSet::new(),
            BTreeMap::new(),
        ))
        .unwrap();
        other["version"] = 99.into();
        for text in ["", "{", "[]", "{\"version\": 1}", &other.to_string()] {
            fs::write(run_dir.state_file(), text).unwrap();
            let error = Record::read(&run_dir).unwrap_err().to_string();
            assert!(
                error.contains("state.json` is not a state file of this version: "),
                "{error}"
            );
        }
    }
}
