//! Starts a supervisor, in a process of its own or in this one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::core::Ending;
use super::orphans::{Orphans, end_left_by_dead};
use super::prepare::{PrepareError, Prepared};
use super::process::descendants::all_of;
use super::recovery::{Marked, set_aside};
use super::run::run;
use super::state_file::{Launch, Record};
use super::stop_signals::StopSignals;
use crate::platform::reaper::{become_subreaper, reap};
use crate::platform::service_manager::ServiceManager;
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
    /// The cluster cannot be started.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The program of another version cannot be run; its next start adopts everything.
    #[error("cannot become the other program: {0}")]
    Replace(io::Error),
    /// The supervisor's own sockets or files failed.
    #[error("the supervisor failed: {0}")]
    Io(#[from] io::Error),
}

/// Starts a supervisor for `launch` in a process of its own, which outlives this one.
pub fn detach(launch: &Launch, run_dir: &RunDir) -> io::Result<Process> {
    let mut program = Program::new(self_exe()).args(supervise_args(run_dir));
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
    // A service manager takes notifications of the process that it has started, and of no other.
    supervise_as(launch, run_dir, None, StopSignals::listen()?, Role::Detached).await
}

/// Supervises `launch` until it is stopped by an order or by `signals`, and keeps `manager` informed.
///
/// # Errors
/// When the supervisor cannot run, or fails.
pub async fn supervise(
    launch: Launch,
    run_dir: RunDir,
    manager: Option<ServiceManager>,
    signals: StopSignals,
) -> Result<(), SuperviseError> {
    supervise_as(launch, run_dir, manager, signals, Role::InFront).await
}

/// How this process was started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// By [`detach`].
    Detached,
    /// By a command that waits.
    InFront,
}

async fn supervise_as(
    launch: Launch,
    run_dir: RunDir,
    manager: Option<ServiceManager>,
    signals: StopSignals,
    role: Role,
) -> Result<(), SuperviseError> {
    let lock = lock(&run_dir)?;
    become_subreaper()?;
    tokio::spawn(reap_orphans(signal(SignalKind::child())?));
    // Boxed because it is large.
    let lived = Box::pin(live(launch, run_dir.clone(), manager, signals)).await;
    if let Ok(Ending::Replaced { program, launch }) = lived {
        // The lock is free from here on, and the file stays for the next one.
        return Err(SuperviseError::Replace(replace(program, &launch, &run_dir, role)));
    }
    lock.remove()?;
    lived.map(drop)
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

/// Becomes `program`, which supervises `launch`. Returns why that failed.
fn replace(program: PathBuf, launch: &Launch, run_dir: &RunDir, role: Role) -> io::Error {
    let program = Program::new(program);
    let (mut program, input) = match role {
        Role::Detached => match serde_json::to_vec(launch) {
            Ok(launch) => (program.args(supervise_args(run_dir)), Some(launch)),
            Err(error) => return error.into(),
        },
        Role::InFront => (program.args(std::env::args_os().skip(1)), None),
    };
    program.name = std::env::args_os().next();
    program.replace_self(input.as_deref())
}

fn supervise_args(run_dir: &RunDir) -> [OsString; 3] {
    ["supervise".into(), "--run-dir".into(), run_dir.path().into()]
}

async fn live(
    mut launch: Launch,
    run_dir: RunDir,
    manager: Option<ServiceManager>,
    mut signals: StopSignals,
) -> Result<Ending, SuperviseError> {
    let record = recorded(&mut launch, &run_dir).await?;
    let living = living_pids(record.as_ref());
    let prepared = tokio::select! {
        prepared = Prepared::new(launch, run_dir.clone(), &living) => prepared?,
        // What runs has to be adopted before it can be stopped.
        () = signals.next(), if living.is_empty() => {
            run_dir.clean()?;
            return Ok(Ending::Stopped);
        }
    };
    prepared.install().await?;
    let lived = Box::pin(run(prepared, record, manager, signals)).await;
    if lived.is_err() && living.is_empty() {
        // Nothing was started, and the files that were written are of no use.
        run_dir.clean()?;
    }
    Ok(lived?)
}

/// What an earlier supervisor has left: its record, or what runs although the record cannot be used.
async fn recorded(launch: &mut Launch, run_dir: &RunDir) -> io::Result<Option<Record>> {
    let why = match Record::read(run_dir) {
        Ok(Some(mut record)) => {
            // A child may have died since the command that starts this supervisor looked.
            end_left_by_dead(&Orphans::from(&record)).await?;
            if !launch.source.has_same_content_as(&record.launch.source) {
                record.forget_rollout();
            }
            return Ok(Some(record));
        }
        Ok(None) => None,
        Err(why) => Some(why),
    };
    let found = Marked::find(run_dir);
    if let Some(why) = why {
        tracing::warn!(
            "{why}; {} of its processes run, and are adopted; the file is kept as `{}`",
            found.children.len(),
            run_dir.broken_state_file().display()
        );
        if let Err(error) = set_aside(run_dir) {
            tracing::error!("the unusable state file cannot be kept: {error}");
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    end_left_by_dead(&Orphans::from(&found)).await?;
    if found.run_id.is_known() {
        launch.run_id = found.run_id.clone();
    }
    launch.generation = launch.generation.max(found.generation);
    Ok(Some(found.into_record(launch.clone())))
}
