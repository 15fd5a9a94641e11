//! Starts a supervisor, in a process of its own or in this one.

use std::collections::BTreeSet;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::prepare::{PrepareError, Prepared};
use super::process::descendants::all_of;
use super::run::run;
use super::state_file::{Launch, Record, RecordError};
use crate::platform::reaper::{become_subreaper, reap};
use crate::platform::{Lock, Process, Program, RunDir, self_exe};

/// Why a supervisor did not run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// Another supervisor runs in this directory.
    #[error("another supervisor runs in `{}`", .0.path().display())]
    Locked(RunDir),
    /// The launch, on standard input, cannot be read.
    #[error("cannot read what to run: {0}")]
    Launch(io::Error),
    /// The state file is broken.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The cluster cannot be started.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The supervisor's own sockets or files failed.
    #[error("the supervisor failed: {0}")]
    Io(#[from] io::Error),
}

/// Starts a supervisor for `launch` in a process of its own, which outlives this one.
pub fn detach(launch: &Launch, run_dir: &RunDir) -> io::Result<Process> {
    let mut program = Program::new(self_exe())
        .arg("supervise")
        .arg("--run-dir")
        .arg(run_dir.path());
    program.name = Some("clusterctl".into());
    program.spawn_detached(&serde_json::to_vec(launch)?, &run_dir.log("supervisor"))
}

/// Runs the supervisor that [`detach`] has started: the launch is read from standard input.
///
/// # Errors
/// When the supervisor cannot run, or fails.
pub async fn supervise_detached(run_dir: RunDir) -> Result<(), SuperviseError> {
    let launch =
        serde_json::from_reader(io::stdin().lock()).map_err(|error| SuperviseError::Launch(error.into()))?;
    supervise(launch, run_dir).await
}

/// Supervises `launch` until it is stopped.
///
/// # Errors
/// When the supervisor cannot run, or fails.
pub async fn supervise(launch: Launch, run_dir: RunDir) -> Result<(), SuperviseError> {
    let lock = lock(&run_dir)?;
    become_subreaper()?;
    tokio::spawn(reap_orphans(signal(SignalKind::child())?));
    // Boxed because it is large.
    let lived = Box::pin(live(launch, run_dir)).await;
    lock.remove()?;
    lived
}

/// Takes the lock that a supervisor holds, or a command that acts in its place.
pub(super) fn lock(run_dir: &RunDir) -> Result<Lock, SuperviseError> {
    Lock::take(&run_dir.lock_file())?.ok_or_else(|| SuperviseError::Locked(run_dir.clone()))
}

/// The pids of the children in `record` that are still alive, and of all that children have
/// started.
#[must_use]
pub fn living_pids(record: Option<&Record>) -> BTreeSet<u32> {
    let Some(record) = record else {
        return BTreeSet::new();
    };
    let children = record.living().into_iter().map(|child| child.process.pid);
    all_of(&record.launch.run_id, &children.collect())
}

// Private

/// Reaps orphaned descendants whenever a child has ended.
async fn reap_orphans(mut ended: Signal) {
    loop {
        reap();
        if ended.recv().await.is_none() {
            return;
        }
    }
}

async fn live(launch: Launch, run_dir: RunDir) -> Result<(), SuperviseError> {
    let record = Record::read(&run_dir)?;
    let living = living_pids(record.as_ref());
    let prepared = Prepared::new(launch, run_dir.clone(), &living).await?;
    prepared.install().await?;
    let lived = run(prepared, record).await;
    if lived.is_err() && living.is_empty() {
        // Nothing was started, and the files that were written are of no use.
        run_dir.clean()?;
    }
    Ok(lived?)
}
