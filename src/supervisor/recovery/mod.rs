//! What runs in a run directory whose state file cannot be used: the children are found by their
//! marks, and adopted or stopped as if the file had named them.
//!
//! A child is the process that leads a process group and whose parent is not the same child. nginx
//! overwrites its environment, and with it the mark; its master is found by its command line, which
//! names the configuration in the run directory. So are balancers of programs that set fewer marks.
//!
//! | lost with the file | what takes its place |
//! | --- | --- |
//! | the profile | that of the command line; [`Marked::misfit`] compares it with what runs |
//! | which process of a balancer instance takes clients | the youngest one that listens: it has taken over, or does so now |
//! | drains, restarts, changes by others | nothing |

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::prepare::wanted;
use super::process::descendants::{Descendants, all_of};
use super::process::port_check::listening;
use super::state_file::{ChildRecord, Launch, Record, RecordError};
use crate::api::Only;
use crate::plan::Plan;
use crate::platform::control_group::directory_of;
use crate::platform::mark::{Mark, Origin, RunId};
use crate::platform::ports::processes_with;
use crate::platform::process_table::{Entry, command_line, process_table};
use crate::platform::sock_diag::listeners;
use crate::platform::{Identity, RunDir};
use crate::profile::{BalancerKind, Cluster};

/// The name server of Erlang nodes outlives the node that has started it, whose mark it has.
const EPMD: &str = "epmd";

/// A run directory whose state file cannot be used.
#[derive(Debug)]
pub struct Lost {
    /// Why it cannot be used.
    pub why: RecordError,
    /// The processes that run nevertheless.
    pub found: Marked,
}

/// The children that run in a run directory, found without its state file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// The name of their cluster, if a mark shows it.
    pub cluster: Option<String>,
    /// The run that they belong to; not known when only nginx runs.
    pub run_id: RunId,
    /// The children of that run, nodes first.
    pub children: Vec<ChildRecord>,
    /// Runs before that one, of which something is left.
    pub former: BTreeSet<RunId>,
    /// Directories of the control groups of that run.
    pub control_groups: BTreeSet<PathBuf>,
    /// The number of the files of the nginx that takes clients.
    pub generation: u32,
}

/// A process that may be a child.
struct Candidate {
    entry: Entry,
    mark: Mark,
}

impl Marked {
    /// Finds the children that run in `run_dir`. Reads all of `/proc`.
    #[must_use]
    pub fn find(run_dir: &RunDir) -> Marked {
        let table = process_table();
        let listening = processes_with(&listeners().unwrap_or_default());
        let listening: BTreeSet<u32> = listening.into_values().flatten().collect();
        let mut marked = Marked::among(&table, run_dir.path(), command_line, &listening);
        let is_nginx = |child: &&ChildRecord| child.name == BalancerKind::Nginx.name() && !child.retired;
        if let Some(nginx) = marked.children.iter().find(is_nginx) {
            marked.generation = generation(run_dir, nginx.process);
        }
        marked
    }

    /// The balancer that takes clients.
    #[must_use]
    pub fn balancer(&self) -> Option<BalancerKind> {
        let current = self.children.iter().filter(|child| !child.retired);
        let mut kinds = current.filter_map(|child| kind(&child.name));
        kinds.next()
    }

    /// Which half of the cluster runs, if it is only one.
    #[must_use]
    pub fn half(&self) -> Option<Only> {
        let nodes = self.children.iter().any(|child| kind(&child.name).is_none());
        match (nodes, self.balancer()) {
            (true, None) => Some(Only::Nodes),
            (false, Some(_)) => Some(Only::Balancer),
            _ => None,
        }
    }

    /// The pids of the children, and of all that children have started.
    #[must_use]
    pub fn pids(&self) -> BTreeSet<u32> {
        let children = self.children.iter().map(|child| child.process.pid);
        all_of(&self.run_id, &children.collect())
    }

    /// Whether no process was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.children.is_empty() && self.former.is_empty()
    }

    /// Why the children cannot belong to the `cluster`, if that shows: by a name, or by an address.
    #[must_use]
    pub fn misfit(&self, cluster: &Cluster, plan: &Plan) -> Option<String> {
        if let Some(name) = self.cluster.as_ref().filter(|name| **name != cluster.name) {
            return Some(format!(
                "they belong to the cluster `{name}`, not to `{}`",
                cluster.name
            ));
        }
        self.children
            .iter()
            .filter(|child| !child.retired)
            .find_map(|child| {
                let title = format!("`{}` (pid {})", child.name, child.process.pid);
                let ports: BTreeSet<u16> = match (cluster.node(&child.name), kind(&child.name)) {
                    (Some(node), _) => node.addresses().map(|address| address.port()).collect(),
                    (None, Some(_)) => {
                        let wanted = wanted(cluster, plan, Some(Only::Balancer));
                        wanted.iter().map(|bound| bound.address.port()).collect()
                    }
                    (None, None) => return Some(format!("no node of the profile is called {title}")),
                };
                let descendants = Descendants::of_child(&self.run_id, &child.name, child.process);
                let listening = listening(child.process, &descendants);
                let is_elsewhere =
                    !listening.is_empty() && !listening.iter().any(|it| ports.contains(&it.port()));
                is_elsewhere.then(|| {
                    let addresses: Vec<String> = listening.iter().map(ToString::to_string).collect();
                    format!(
                        "{title} listens on {}, and on no port that it has in the profile",
                        addresses.join(", ")
                    )
                })
            })
    }

    /// The record of the children as children of `launch`.
    pub(super) fn into_record(self, launch: Launch) -> Record {
        let none = BTreeSet::new();
        let mut record = Record::new(launch, self.children, BTreeMap::new(), none.clone(), none);
        record.control_groups = self.control_groups;
        record
    }

    // Private

    fn among(
        table: &[Entry],
        run_dir: &Path,
        command_line: impl Fn(u32) -> String,
        listening: &BTreeSet<u32>,
    ) -> Marked {
        let names_run_dir = |entry: &Entry| {
            let below = format!("{}/", run_dir.display());
            command_line(entry.process.pid).contains(&below)
        };
        let is_here = |entry: &Entry, mark: &Mark| match &mark.run_dir {
            Some(other) => is_same(other, run_dir),
            None => kind(mark.name()).is_some() && names_run_dir(entry),
        };
        let mut all = Vec::new();
        for entry in table {
            match &entry.origin {
                Origin::Child(mark) => all.push((entry, mark)),
                Origin::Unknown | Origin::Apart => {}
            }
        }
        let runs: BTreeSet<&RunId> = all
            .iter()
            .filter(|(entry, mark)| is_here(entry, mark))
            .map(|(_, mark)| &mark.run)
            .collect();
        all.retain(|(entry, mark)| runs.contains(&mark.run) && (mark.run.is_known() || is_here(entry, mark)));
        let leads = |entry: &Entry, mark: &Mark| {
            let is_parent = |other: &Entry, of: &Mark| {
                other.process.pid == entry.parent && (&of.child, &of.run) == (&mark.child, &mark.run)
            };
            entry.group == entry.process.pid
                && entry.command != EPMD
                && !all.iter().any(|(other, of)| is_parent(other, of))
        };
        let mut leaders: Vec<Candidate> = all
            .iter()
            .filter(|(entry, mark)| leads(entry, mark))
            .map(|(entry, mark)| Candidate {
                entry: (*entry).clone(),
                mark: (*mark).clone(),
            })
            .collect();
        leaders.sort_by_key(|it| (it.entry.process.start_time, it.entry.process.pid));
        let run_id = leaders.last().map(|it| it.mark.run.clone()).unwrap_or_default();
        let former = runs.into_iter().filter(|run| **run != run_id).cloned().collect();
        leaders.retain(|it| it.mark.run == run_id);
        let cluster = leaders
            .first()
            .and_then(|it| it.mark.cluster())
            .map(str::to_owned);
        leaders.extend(table.iter().filter_map(|entry| {
            let is_master = entry.origin == Origin::Unknown
                && command_line(entry.process.pid).starts_with("nginx: master process ")
                && names_run_dir(entry);
            let mark = Mark {
                child: format!("/{}", BalancerKind::Nginx.name()),
                run: run_id.clone(),
                ..Mark::default()
            };
            is_master.then(|| Candidate {
                entry: entry.clone(),
                mark,
            })
        }));
        leaders.sort_by_key(|it| (it.entry.process.start_time, it.entry.process.pid));
        let groups = table
            .iter()
            .filter_map(|entry| directory_of(&run_id, &entry.control_group));
        Marked {
            cluster,
            control_groups: groups.collect(),
            run_id,
            children: children(&leaders, listening),
            former,
            generation: 0,
        }
    }
}

/// Moves the unusable state file of `run_dir` aside, for people who look into what happened to it. An
/// earlier one is replaced.
///
/// # Errors
/// When it cannot be moved; a missing file is not an error.
pub(super) fn set_aside(run_dir: &RunDir) -> io::Result<()> {
    let (file, aside) = (run_dir.state_file(), run_dir.broken_state_file());
    let _gone_or_not = fs::remove_file(&aside).or_else(|_| fs::remove_dir_all(&aside));
    match fs::rename(file, aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

// Private

/// The balancer whose processes have this name; nodes cannot have it.
pub(super) fn kind(name: &str) -> Option<BalancerKind> {
    BalancerKind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// Whether both paths lead to one directory.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || fs::canonicalize(one).is_ok_and(|one| fs::canonicalize(other).is_ok_and(|it| it == one))
}

/// The children, from `leaders` in the order of their start. A balancer that does not listen has not
/// got the listeners yet, or has given them up.
fn children(leaders: &[Candidate], listening: &BTreeSet<u32>) -> Vec<ChildRecord> {
    let record = |it: &Candidate, retired| ChildRecord {
        name: it.mark.name().to_owned(),
        instance: it.mark.instance.unwrap_or(0),
        retired,
        successor: false,
        incoming: false,
        ends_at: None,
        outdated: false,
        process: it.entry.process,
        restarts: 0,
    };
    let (mut balancers, nodes): (Vec<&Candidate>, Vec<&Candidate>) =
        leaders.iter().partition(|it| kind(it.mark.name()).is_some());
    balancers.sort_by_key(|it| listening.contains(&it.entry.process.pid));
    // A process that a node has started in a group of its own is younger than the node.
    let mut known = BTreeSet::new();
    let nodes = nodes
        .into_iter()
        .filter(|it| known.insert(it.mark.name().to_owned()));
    let mut children: Vec<ChildRecord> = nodes.map(|it| record(it, false)).collect();
    let current = balancers.last().map(|it| it.mark.name().to_owned());
    let mut taken = BTreeSet::new();
    for it in balancers.into_iter().rev() {
        let is_current = current.as_deref() == Some(it.mark.name());
        let takes_clients = is_current && taken.insert(it.mark.instance.unwrap_or(0));
        children.push(record(it, !takes_clients));
    }
    children
}

/// The number in the name of the pid file that this nginx has written: `nginx-2.pid`; 0 without one.
fn generation(run_dir: &RunDir, master: Identity) -> u32 {
    let entries = fs::read_dir(run_dir.path()).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| {
        let name = entry.file_name();
        let number = name
            .to_str()?
            .strip_prefix("nginx-")?
            .strip_suffix(".pid")?
            .parse()
            .ok()?;
        let pid = fs::read_to_string(entry.path()).ok()?;
        (pid.trim() == master.pid.to_string()).then_some(number)
    });
    numbers.max().unwrap_or(0)
}
