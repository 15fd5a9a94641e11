//! `status`: which nodes are up, how many connections each holds, and whether that is even.

use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::api::{Client, ClientError, ClusterState, GetStatus, Status};
use crate::platform::RunDir;
use crate::report;
use crate::supervisor::Record;

/// Shows the status.
pub(super) async fn run(settings: &Settings, printer: &Printer) -> Outcome {
    let run_dir = settings.run_dir()?;
    let (status, exit) = match ask(&run_dir).await {
        Ok(status) => {
            let exit = judge(status.state);
            (status, exit)
        }
        Err(ClientError::NotRunning(_)) => stopped(settings, &run_dir),
        Err(error) => return Err(Failure::from(error).exit(Exit::Unclear)),
    };
    if settings.json {
        printer.pretty_json(&status)?;
    } else {
        printer.data(&report::status(&status))?;
    }
    Ok(exit)
}

/// The exit code of a state.
pub(super) const fn judge(state: ClusterState) -> Exit {
    match state {
        ClusterState::Healthy => Exit::Done,
        ClusterState::Degraded | ClusterState::Down => Exit::Failed,
    }
}

/// The status of a cluster without supervisor. Children of a killed supervisor may still serve, but
/// their state is unknown.
pub(super) fn stopped(settings: &Settings, run_dir: &RunDir) -> (Status, Exit) {
    let mut status = Status::down(&settings.name(run_dir));
    let doubt = match Record::read(run_dir) {
        Ok(Some(record)) if !record.living().is_empty() => {
            "the supervisor died; its processes may still serve: `clusterctl start` adopts them, `clusterctl stop` ends them"
                .to_owned()
        }
        Ok(_) => return (status, Exit::Failed),
        Err(error) => format!("cannot find out what runs: {error}"),
    };
    status.warnings.push(doubt);
    (status, Exit::Unclear)
}

// Private

async fn ask(run_dir: &RunDir) -> Result<Status, ClientError> {
    Client::connect(&run_dir.control_socket())
        .await?
        .call(&GetStatus)
        .await
}
