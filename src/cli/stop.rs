//! `stop`: ends the cluster, and leaves nothing running.

use std::io;
use std::time::Duration;

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::reply::StopReply;
use super::settings::Settings;
use crate::api::{Client, ClientError, StopOrder};
use crate::platform::{Identity, Lock, Process, RunDir};
use crate::supervisor::{Presence, Record, stop_orphans, sweep};

/// What the supervisor gets beyond the connections' grace, to end every child the hard way if need be.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two looks at whether the supervisor has gone.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Stops it, and returns when it is gone.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Stop) -> Outcome {
    let run_dir = settings.run_dir()?;
    let stopped = end(&run_dir, printer, args).await?;
    if settings.json {
        printer.pretty_json(&StopReply { stopped })?;
    }
    Ok(Exit::Done)
}

// Private

/// Stops what runs; whether anything did.
async fn end(run_dir: &RunDir, printer: &Printer, args: &args::Stop) -> Result<bool, Failure> {
    match Presence::of(run_dir).await? {
        Presence::Running(client) => {
            // Not known when the state file is gone or broken; its socket and its lock then have to tell.
            let supervisor = Record::read(run_dir)
                .ok()
                .flatten()
                .map(|record| record.supervisor());
            match client.call(&StopOrder { grace: args.grace }).await {
                // It may have been killed in the middle of it: what it has left is looked for below.
                Err(ClientError::Ended) => {}
                ordered => ordered?,
            }
            let patience = args.grace.duration() + END_TIMEOUT;
            tokio::time::timeout(patience, gone(run_dir, supervisor))
                .await
                .map_err(|_| stuck(patience))?
                .map_err(Failure::new)?;
            match Presence::of(run_dir).await? {
                Presence::Orphaned(record) => end_orphans(printer, run_dir, &record, args).await?,
                Presence::Running(_) | Presence::Absent => printer.note("stopped"),
            }
        }
        Presence::Orphaned(record) => end_orphans(printer, run_dir, &record, args).await?,
        Presence::Absent => {
            sweep(run_dir).await?;
            printer.note("nothing is running");
            return Ok(false);
        }
    }
    Ok(true)
}

async fn end_orphans(
    printer: &Printer,
    run_dir: &RunDir,
    record: &Record,
    args: &args::Stop,
) -> Result<(), Failure> {
    stop_orphans(record, run_dir, args.grace.duration()).await?;
    printer.note("stopped the processes that a killed supervisor had left running");
    Ok(())
}

/// Waits until nobody listens, the last file is removed, and the process has ended.
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
