//! Stops the processes that a dead supervisor left running.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::process::descendants::{Descendants, end};
use super::process::left_behind::left_behind;
use super::process::stop_sequence::StopSequence;
use super::state_file::{ChildRecord, Record};
use super::supervise::{SuperviseError, lock};
use crate::platform::{Identity, Process, RunDir, control_group};

/// After this many SIGKILLs, one second apart, a process is taken to be stuck in the kernel.
const MAX_KILLS: u32 = 10;
/// The time that each process gets after SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(5);

/// Ends the living children of `record`, the balancer first, and cleans `run_dir`. The balancer's
/// connections get `grace` to end by themselves.
///
/// # Errors
/// When a supervisor runs, a process cannot be watched or signalled, or a file not removed.
pub async fn stop_orphans(record: &Record, run_dir: &RunDir, grace: Duration) -> Result<(), SuperviseError> {
    let lock = lock(run_dir)?;
    end_left_by_dead(record).await?;
    let is_balancer = |child: &&ChildRecord| child.name == record.launch.balancer.name();
    let (balancers, nodes): (Vec<&ChildRecord>, Vec<&ChildRecord>) =
        record.living().into_iter().partition(is_balancer);
    let drain = (record.launch.balancer.facts().drain_signal, grace);
    let stop_sequence = StopSequence(vec![drain, (Signal::SIGTERM, TERM_GRACE)]);
    end_all(record, &balancers, &stop_sequence).await?;
    end_all(record, &nodes, &StopSequence(vec![(Signal::SIGTERM, TERM_GRACE)])).await?;
    end_all_left(record).await?;
    run_dir.clean()?;
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
    // A state file that cannot be read names no process.
    if let Ok(Some(record)) = Record::read(run_dir) {
        end_left_by_dead(&record).await?;
        end_all_left(&record).await?;
    }
    run_dir.clean()?;
    Ok(lock.remove()?)
}

/// Ends the processes that dead children have left: they would hold the children's ports.
///
/// # Errors
/// When a signal is refused, or a process does not end.
pub async fn end_left_by_dead(record: &Record) -> io::Result<()> {
    if !record.is_of_this_boot() {
        return Ok(());
    }
    // nginx's workers outlive a killed master, and do not have the child's mark.
    for child in record.children.iter().filter(|child| !child.process.is_alive()) {
        child.process.signal_group(Signal::SIGKILL)?;
    }
    let living = record.living().into_iter().map(|child| child.name.clone());
    let left = Descendants::of_others(&record.launch.run_id, living.collect());
    end(left, Duration::ZERO, left_behind()).await
}

// Private

/// Ends everything that the children have left, once none of them runs any more.
async fn end_all_left(record: &Record) -> io::Result<()> {
    if record.is_of_this_boot() {
        let left = Descendants::of_run(&record.launch.run_id);
        end(left, Duration::ZERO, left_behind()).await?;
    }
    for directory in &record.control_groups {
        control_group::remove(directory);
    }
    Ok(())
}

async fn end_all(record: &Record, children: &[&ChildRecord], stop_sequence: &StopSequence) -> io::Result<()> {
    let endings: Vec<_> = children
        .iter()
        .map(|child| {
            let descendants = Descendants::of_child(&record.launch.run_id, &child.name, child.process);
            tokio::spawn(end_child(child.process, descendants, stop_sequence.clone()))
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
