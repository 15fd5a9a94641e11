//! `stop`: ends the cluster, and leaves nothing running.

use std::io;
use std::time::Duration;

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::lost_state;
use super::printer::Printer;
use super::reply::StopReply;
use super::settings::Settings;
use crate::api::{Client, ClientError, StopOrder};
use crate::base::units::Period;
use crate::platform::{Identity, Lock, Process, RunDir};
use crate::supervisor::{Orphans, Presence, Record, stop_orphans, sweep};

/// The time that the supervisor gets after the connections' grace, to kill every child if
/// necessary.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// The time between two checks whether the supervisor has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Stops the cluster, and returns when the supervisor has ended.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Stop) -> Outcome {
    let run_dir = settings.run_dir()?;
    let stopped = end(&run_dir, printer, args).await?;
    if settings.json {
        printer.pretty_json(&StopReply { stopped })?;
    }
    Ok(Exit::Done)
}

// Private

/// Stops what runs. Returns whether anything did.
async fn end(run_dir: &RunDir, printer: &Printer, args: &args::Stop) -> Result<bool, Failure> {
    match Presence::of(run_dir).await? {
        Presence::Running(client) => {
            // Unknown when the state file is missing or broken; then only the socket and the lock
            // show whether it runs.
            let supervisor = Record::read(run_dir)
                .ok()
                .flatten()
                .map(|record| record.supervisor());
            let order = StopOrder {
                grace: args.grace,
                announce: args.ending.announce,
                over: args.ending.over,
            };
            match client.call(&order).await {
                // It may have been killed while it stopped: remaining processes are searched for
                // below.
                Err(ClientError::Ended) => {}
                ordered => ordered?,
            }
            let waits = [args.ending.announce, args.grace, args.ending.over];
            let patience = waits.map(Period::duration).iter().sum::<Duration>() + END_TIMEOUT;
            tokio::time::timeout(patience, gone(run_dir, supervisor))
                .await
                .map_err(|_| stuck(patience))?
                .map_err(Failure::new)?;
            match Presence::of(run_dir).await? {
                Presence::Orphaned(record) => end_orphans(printer, run_dir, (&*record).into(), args).await?,
                Presence::Lost(lost) => end_orphans(printer, run_dir, (&lost.found).into(), args).await?,
                Presence::Running(_) | Presence::Absent => printer.note("stopped"),
            }
        }
        Presence::Orphaned(record) => end_orphans(printer, run_dir, (&*record).into(), args).await?,
        Presence::Lost(lost) => {
            lost_state::warn_before_stop(printer, &lost, run_dir);
            if lost.found.is_empty() {
                return none(printer, run_dir).await;
            }
            end_orphans(printer, run_dir, (&lost.found).into(), args).await?;
        }
        Presence::Absent => return none(printer, run_dir).await,
    }
    Ok(true)
}

/// Nothing runs: only files can be left.
async fn none(printer: &Printer, run_dir: &RunDir) -> Result<bool, Failure> {
    sweep(run_dir).await?;
    printer.note("nothing is running");
    Ok(false)
}

async fn end_orphans(
    printer: &Printer,
    run_dir: &RunDir,
    orphans: Orphans,
    args: &args::Stop,
) -> Result<(), Failure> {
    if !args.ending.announce.is_zero() || !args.ending.over.is_zero() {
        printer.note(
            "the supervisor was killed: the stop is not announced, and connections are closed all at once",
        );
    }
    stop_orphans(&orphans, run_dir, args.grace.duration()).await?;
    printer.note("stopped the processes that a killed supervisor had left running");
    Ok(())
}

/// Waits until nothing listens on the socket, the last file is removed, and the process has ended.
async fn gone(run_dir: &RunDir, supervisor: Option<Identity>) -> io::Result<()> {
    let socket = run_dir.control_socket();
    while !matches!(Client::connect(&socket).await, Err(ClientError::NotRunning(_)))
        || Lock::is_held(&run_dir.lock_file())?
    {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    if let Some(supervisor) = supervisor
        && let Some(mut process) = Process::adopt(supervisor)?
    {
        process.ended().await?;
    }
    Ok(())
}

fn stuck(patience: Duration) -> Failure {
    Failure::because(format!("the supervisor did not end within {patience:?}"))
        .hint("`clusterctl logs supervisor` shows what it waits for".to_owned())
}
