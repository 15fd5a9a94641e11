//! The processes that a child has started, wherever they are in the process tree by now.
//!
//! A process belongs to a child when its environment has the child's [mark](crate::platform::mark).
//! A process whose environment has no mark belongs to the child when it is in the child's control
//! group or process group, or when its parent belongs to the child. A process that is marked as
//! another child's, or as a `clusterctl` command's, does not belong to it, and neither do the
//! processes that that one has started.
//!
//! An `epmd` serves every Erlang node of this host, whichever of them has started it: it belongs to
//! the cluster as a whole.

mod ending;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::Signal;

use crate::platform::Identity;
use crate::platform::control_group::child_of;
use crate::platform::mark::{Origin, RunId};
use crate::platform::process_table::{Entry, process_table};
use crate::platform::reaper::is_watched;

pub(in crate::supervisor) use ending::{LEFT_BEHIND_GRACE, end};

/// The name server of Erlang nodes.
const EPMD: &str = "epmd";

/// The descendants of a child, or of all children of a run.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct Descendants {
    run: RunId,
    of: Of,
    /// Processes that were found before: the parent that led to them may have ended since.
    known: Arc<Mutex<BTreeSet<Identity>>>,
}

/// Which children's descendants are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Of {
    /// The descendants of one process of the child called `name`.
    One { name: String, leader: Identity },
    /// The descendants of every child of the run except these.
    AllBut(BTreeSet<String>),
}

impl Descendants {
    /// The descendants of the process `leader` of the child called `name`.
    pub(in crate::supervisor) fn of_child(run: &RunId, name: &str, leader: Identity) -> Descendants {
        Descendants::new(
            run,
            Of::One {
                name: name.to_owned(),
                leader,
            },
        )
    }

    /// The descendants of every child of the run, an `epmd` included.
    pub(in crate::supervisor) fn of_run(run: &RunId) -> Descendants {
        Descendants::of_others(run, BTreeSet::new())
    }

    /// The descendants of every child of the run that is not among the `living`.
    pub(in crate::supervisor) fn of_others(run: &RunId, living: BTreeSet<String>) -> Descendants {
        Descendants::new(run, Of::AllBut(living))
    }

    /// Finds the living descendants, without the child's own process. Reads all of `/proc`, which
    /// takes about 30 µs for each process.
    pub(in crate::supervisor) fn find(&self) -> Vec<Entry> {
        let table = process_table();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A process of this supervisor that is in the table is watched by now.
        let found = select(&self.run, &self.of, &table, &known, is_watched);
        known.extend(found.iter().map(|entry| entry.process));
        found
    }

    /// Sends `signal` to the descendants, and to the process group of the child's own process.
    pub(in crate::supervisor) fn signal(&self, signal: Signal) -> std::io::Result<()> {
        // Found first: once a parent has ended, nothing may lead from the child to them any more.
        let found = self.find();
        let leader = self.leader();
        if let Some(leader) = leader {
            leader.signal_group(signal)?;
        }
        let apart = found
            .iter()
            .filter(|entry| Some(entry.group) != leader.map(|leader| leader.pid));
        apart
            .into_iter()
            .try_for_each(|entry| entry.process.signal(signal))
    }

    // Private

    fn new(run: &RunId, of: Of) -> Descendants {
        Descendants {
            run: run.clone(),
            of,
            known: Arc::default(),
        }
    }

    fn leader(&self) -> Option<Identity> {
        match self.of {
            Of::One { leader, .. } => Some(leader),
            Of::AllBut(_) => None,
        }
    }
}

impl Of {
    /// Whether descendants of the child called `name` are meant.
    fn covers(&self, name: &str) -> bool {
        match self {
            Of::One { name: own, .. } => own == name,
            Of::AllBut(others) => !others.contains(name),
        }
    }

    /// Whether an `epmd` that serves all nodes may end, too.
    fn is_whole_run(&self) -> bool {
        matches!(self, Of::AllBut(others) if others.is_empty())
    }
}

/// The processes `leaders` and all processes below them in the process tree.
pub(in crate::supervisor) async fn trees_of(leaders: BTreeSet<u32>) -> BTreeSet<u32> {
    let found = tokio::task::spawn_blocking(move || {
        let is_leader = |entry: &Entry| leaders.contains(&entry.process.pid);
        with_children(&process_table(), is_leader, |_| true)
    });
    found.await.unwrap_or_default()
}

/// The processes `leaders`, which are children of the run, and all that children of the run have
/// started.
pub(in crate::supervisor) fn all_of(run: &RunId, leaders: &BTreeSet<u32>) -> BTreeSet<u32> {
    let all = Of::AllBut(BTreeSet::new());
    let is_root = |entry: &Entry| leaders.contains(&entry.process.pid) || is_child_of(run, &all, entry);
    with_children(&process_table(), is_root, |entry| entry.origin == Origin::Unknown)
}

// Private

/// The descendants among the processes of `table`; the `known` ones were found before. Processes
/// that `is_spared` accepts are ended separately, and so are their descendants.
fn select(
    run: &RunId,
    of: &Of,
    table: &[Entry],
    known: &BTreeSet<Identity>,
    is_spared: impl Fn(u32) -> bool,
) -> Vec<Entry> {
    let leader = match of {
        Of::One { leader, .. } => Some(*leader),
        Of::AllBut(_) => None,
    };
    // The leader's pid may belong to another process by now.
    let is_reused = |leader: Identity| {
        let mut others = table.iter().filter(|entry| entry.process.pid == leader.pid);
        others.any(|entry| entry.process != leader)
    };
    let group = leader
        .filter(|leader| !is_reused(*leader))
        .map(|leader| leader.pid);
    let is_leader = |entry: &Entry| Some(entry.process) == leader;
    let spared = with_children(
        table,
        |entry| is_spared(entry.process.pid) && !is_leader(entry),
        |entry| !is_leader(entry),
    );
    let may_end = |entry: &Entry| {
        !spared.contains(&entry.process.pid)
            && !is_leader(entry)
            && entry.process.pid != std::process::id()
            && (entry.command != EPMD || of.is_whole_run())
    };
    let is_found = |entry: &Entry| {
        is_leader(entry)
            || (may_end(entry)
                && match &entry.origin {
                    Origin::Child(_) => is_child_of(run, of, entry),
                    Origin::Apart => false,
                    Origin::Unknown => {
                        is_child_of(run, of, entry)
                            || Some(entry.group) == group
                            || known.contains(&entry.process)
                    }
                })
    };
    let found = with_children(table, is_found, |entry| {
        entry.origin == Origin::Unknown && may_end(entry)
    });
    let found = table
        .iter()
        .filter(|entry| found.contains(&entry.process.pid) && !is_leader(entry));
    found.cloned().collect()
}

/// Whether the process itself shows, by its environment or control group, that it belongs to such a
/// child.
fn is_child_of(run: &RunId, of: &Of, entry: &Entry) -> bool {
    match &entry.origin {
        Origin::Child(mark) => run.is_known() && mark.run == *run && of.covers(mark.name()),
        Origin::Apart => false,
        Origin::Unknown => child_of(run, &entry.control_group).is_some_and(|name| of.covers(name)),
    }
}

/// The pids of the `roots`, and of all descendants that are reached from them through processes
/// that `follow` accepts.
fn with_children(
    table: &[Entry],
    is_root: impl Fn(&Entry) -> bool,
    follows: impl Fn(&Entry) -> bool,
) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
    for entry in table {
        children.entry(entry.parent).or_default().push(entry);
    }
    let roots = table.iter().filter(|entry| is_root(entry));
    let mut next: Vec<u32> = roots.map(|entry| entry.process.pid).collect();
    let mut found = BTreeSet::new();
    while let Some(pid) = next.pop() {
        if found.insert(pid) {
            let children = children.get(&pid).into_iter().flatten();
            next.extend(
                children
                    .filter(|entry| follows(entry))
                    .map(|entry| entry.process.pid),
            );
        }
    }
    found
}
