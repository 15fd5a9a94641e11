//! Stops what a dead supervisor left running.

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::ladder::Ladder;
use super::record::{ChildRecord, Record};
use super::supervise::{SuperviseError, lock};
use crate::platform::{Identity, Process, RunDir};
use crate::profile::BalancerKind;

/// What is not ended by so many SIGKILLs, a second apart, sleeps in the kernel.
const KILLS: u32 = 10;
/// What each process gets after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends the living children of `record`, the balancer first, and cleans `run_dir`. The balancer's connections get
/// `grace` to end by themselves.
///
/// # Errors
/// When a supervisor runs, a process cannot be watched or signalled, or a file not removed.
pub async fn stop_orphans(record: &Record, run_dir: &RunDir, grace: Duration) -> Result<(), SuperviseError> {
    let lock = lock(run_dir)?;
    record.bury()?;
    let is_balancer = |child: &&ChildRecord| child.name == record.launch.balancer.name();
    let (balancers, nodes): (Vec<&ChildRecord>, Vec<&ChildRecord>) =
        record.living().into_iter().partition(is_balancer);
    end_all(
        &balancers,
        &Ladder(vec![
            (drain_signal(record.launch.balancer), grace),
            (Signal::SIGTERM, PATIENCE),
        ]),
    )
    .await?;
    end_all(&nodes, &Ladder(vec![(Signal::SIGTERM, PATIENCE)])).await?;
    run_dir.clean()?;
    Ok(lock.remove()?)
}

/// Removes what a host that went down, or a supervisor that was killed, has left in `run_dir` where nothing runs.
///
/// # Errors
/// When a supervisor has just come, or a file cannot be removed.
pub fn sweep(run_dir: &RunDir) -> Result<(), SuperviseError> {
    if run_dir.is_clean() {
        return Ok(());
    }
    let lock = lock(run_dir)?;
    // One that cannot be read tells of nobody.
    if let Ok(Some(record)) = Record::read(run_dir) {
        record.bury()?;
    }
    run_dir.clean()?;
    Ok(lock.remove()?)
}

// Private

/// What the balancer ends gracefully on; its binary, which would tell, may be gone.
const fn drain_signal(kind: BalancerKind) -> Signal {
    match kind {
        BalancerKind::Haproxy | BalancerKind::Builtin => Signal::SIGUSR1,
        BalancerKind::Nginx => Signal::SIGQUIT,
    }
}

async fn end_all(children: &[&ChildRecord], ladder: &Ladder) -> io::Result<()> {
    let endings: Vec<_> = children
        .iter()
        .map(|child| tokio::spawn(end(child.process, ladder.clone())))
        .collect();
    for ending in endings {
        ending.await.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn end(identity: Identity, mut ladder: Ladder) -> io::Result<()> {
    let Some(mut process) = Process::adopt(identity)? else {
        return Ok(());
    };
    let mut kills = 0;
    while kills < KILLS {
        let (signal, wait) = ladder.climb();
        kills += u32::from(signal == Signal::SIGKILL);
        identity.signal_group(signal)?;
        if let Ok(ended) = tokio::time::timeout(wait, process.ended()).await {
            ended?;
            return identity.signal_group(Signal::SIGKILL);
        }
    }
    Err(io::Error::other(format!(
        "pid {} does not end, not even by SIGKILL",
        identity.pid
    )))
}
