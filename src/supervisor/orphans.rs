//! Stops the processes that a dead supervisor left running.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::process::descendants::{Descendants, end};
use super::process::left_behind::left_behind;
use super::process::stop_sequence::StopSequence;
use super::recovery::{Marked, kind, set_aside};
use super::state_file::{ChildRecord, Record};
use super::supervise::{SuperviseError, lock};
use super::switch::state::SavedSwitch;
use crate::platform::mark::RunId;
use crate::platform::ports::processes_with_any;
use crate::platform::process_table::process_table;
use crate::platform::{Identity, Process, RunDir, control_group};

/// After this many SIGKILLs, one second apart, a process is taken to be stuck in the kernel.
const MAX_KILLS: u32 = 10;
/// The time that each process gets after SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(5);

/// The processes that a dead supervisor left running.
pub struct Orphans {
    run_id: RunId,
    /// Earlier runs, of which something may be left.
    former: BTreeSet<RunId>,
    children: Vec<ChildRecord>,
    control_groups: BTreeSet<PathBuf>,
    unfinished_switch: Option<SavedSwitch>,
    /// The inodes of the cluster's listeners.
    listeners: BTreeSet<u64>,
    /// Whether their pids belong to this boot.
    are_of_this_boot: bool,
}

impl From<&Record> for Orphans {
    fn from(record: &Record) -> Orphans {
        Orphans {
            run_id: record.launch.run_id.clone(),
            former: BTreeSet::new(),
            children: record.children.clone(),
            control_groups: record.control_groups.clone(),
            unfinished_switch: record.unfinished_switch(),
            listeners: record.inodes(),
            are_of_this_boot: record.is_of_this_boot(),
        }
    }
}

impl From<&Marked> for Orphans {
    fn from(found: &Marked) -> Orphans {
        Orphans {
            run_id: found.run_id.clone(),
            former: found.former.clone(),
            children: found.children.clone(),
            control_groups: found.control_groups.clone(),
            unfinished_switch: None,
            listeners: BTreeSet::new(),
            are_of_this_boot: true,
        }
    }
}

impl Orphans {
    fn living(&self) -> impl Iterator<Item = &ChildRecord> {
        self.children.iter().filter(|child| child.process.is_alive())
    }
}

/// Ends the living children among `orphans`, the balancer first, and cleans `run_dir`. The
/// balancer's connections get `grace` to end by themselves.
///
/// # Errors
/// When a supervisor runs, a process cannot be watched or signalled, or a file not removed.
pub async fn stop_orphans(
    orphans: &Orphans,
    run_dir: &RunDir,
    grace: Duration,
) -> Result<(), SuperviseError> {
    let lock = lock(run_dir)?;
    end_left_by_dead(orphans).await?;
    let term = || StopSequence(vec![(Signal::SIGTERM, TERM_GRACE)]);
    let (balancers, nodes): (Vec<_>, Vec<_>) =
        orphans.living().partition(|child| kind(&child.name).is_some());
    let with_drain = |child: &ChildRecord| {
        let drain = kind(&child.name).map(|kind| (kind.facts().drain_signal, grace));
        StopSequence(drain.into_iter().chain(term().0).collect())
    };
    end_all(orphans, &balancers, with_drain).await?;
    end_all(orphans, &nodes, |_| term()).await?;
    end_all_left(orphans).await?;
    clean(run_dir)?;
    Ok(lock.remove()?)
}

/// Removes the files in `run_dir` that a host that went down or a killed supervisor has left, if no
/// child runs, and ends the processes that children have left.
///
/// # Errors
/// When a supervisor has just started, a process does not end, or a file cannot be removed.
pub async fn sweep(run_dir: &RunDir) -> Result<(), SuperviseError> {
    if run_dir.is_clean() {
        return Ok(());
    }
    let lock = lock(run_dir)?;
    // The children of an unusable state file were searched for, and none was found.
    if let Ok(Some(record)) = Record::read(run_dir) {
        let orphans = Orphans::from(&record);
        end_left_by_dead(&orphans).await?;
        end_all_left(&orphans).await?;
    }
    clean(run_dir)?;
    Ok(lock.remove()?)
}

/// Ends the processes that dead children have left: they would hold the children's ports.
///
/// # Errors
/// When a signal is refused, or a process does not end.
pub async fn end_left_by_dead(orphans: &Orphans) -> io::Result<()> {
    if !orphans.are_of_this_boot {
        return Ok(());
    }
    // nginx's workers outlive a killed master, and do not have the child's mark.
    for child in orphans.children.iter().filter(|child| !child.process.is_alive()) {
        child.process.signal_group(Signal::SIGKILL)?;
    }
    drain_unrecorded(orphans)?;
    for run in &orphans.former {
        end(Descendants::of_run(run), Duration::ZERO, left_behind()).await?;
    }
    let incoming = orphans
        .unfinished_switch
        .map(|switch| switch.to.name().to_owned());
    let living = orphans.living().map(|child| child.name.clone()).chain(incoming);
    let left = Descendants::of_others(&orphans.run_id, living.collect());
    end(left, Duration::ZERO, left_behind()).await
}

// Private

/// Processes that a dead supervisor had started for a switch, but not recorded, would take clients
/// for ever. They are known by the cluster's listeners, and end with their last connection.
fn drain_unrecorded(orphans: &Orphans) -> io::Result<()> {
    let Some(switch) = orphans.unfinished_switch else {
        return Ok(());
    };
    let recorded: BTreeSet<u32> = orphans.children.iter().map(|child| child.process.pid).collect();
    let holders = processes_with_any(&orphans.listeners);
    let table = process_table();
    let holding = table.iter().filter(|entry| holders.contains(&entry.process.pid));
    let groups: BTreeSet<u32> = holding.map(|entry| entry.group).collect();
    for unrecorded in groups.difference(&recorded) {
        if let Some(process) = Identity::of(*unrecorded) {
            process.signal_group(switch.to.facts().drain_signal)?;
        }
    }
    Ok(())
}

/// Removes what only a running cluster has; a state file that cannot be used is kept aside.
fn clean(run_dir: &RunDir) -> io::Result<()> {
    if Record::read(run_dir).is_err() {
        set_aside(run_dir)?;
    }
    run_dir.clean()
}

/// Ends everything that the children have left, once none of them runs any more.
async fn end_all_left(orphans: &Orphans) -> io::Result<()> {
    if orphans.are_of_this_boot {
        let left = Descendants::of_run(&orphans.run_id);
        end(left, Duration::ZERO, left_behind()).await?;
    }
    for directory in &orphans.control_groups {
        control_group::remove(directory);
    }
    Ok(())
}

async fn end_all(
    orphans: &Orphans,
    children: &[&ChildRecord],
    stop_sequence: impl Fn(&ChildRecord) -> StopSequence,
) -> io::Result<()> {
    let endings: Vec<_> = children
        .iter()
        .map(|child| {
            let descendants = Descendants::of_child(&orphans.run_id, &child.name, child.process);
            tokio::spawn(end_child(child.process, descendants, stop_sequence(child)))
        })
        .collect();
    for ending in endings {
        ending.await.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Ends a process and all that it has started, with the times of its stop sequence.
async fn end_child(
    identity: Identity,
    descendants: Descendants,
    mut stop_sequence: StopSequence,
) -> io::Result<()> {
    let Some(mut process) = Process::adopt(identity)? else {
        return Ok(());
    };
    let mut kills = 0;
    while kills < MAX_KILLS {
        let (signal, time) = stop_sequence.next_signal();
        kills += u32::from(signal == Signal::SIGKILL);
        let until = Instant::now() + time;
        descendants.signal(signal)?;
        if let Ok(ended) = tokio::time::timeout(time, process.ended()).await {
            ended?;
            let left = until.saturating_duration_since(Instant::now()).min(TERM_GRACE);
            return end(descendants, left, stop_sequence).await;
        }
    }
    Err(io::Error::other(format!(
        "pid {} does not end, even after SIGKILL",
        identity.pid
    )))
}
