//! `status`: which nodes are up, how many connections each holds, and whether that is even.

use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::lost_state;
use super::other_version;
use super::printer::Printer;
use super::settings::Settings;
use crate::api::{Client, ClientError, ClusterState, GetStatus, Status};
use crate::platform::RunDir;
use crate::report;
use crate::supervisor::{Presence, Record};

/// Shows the status.
pub(super) async fn run(settings: &Settings, printer: &Printer) -> Outcome {
    let run_dir = settings.run_dir()?;
    let (status, exit) = match ask(&run_dir).await {
        Ok(mut status) => {
            other_version::warn(&mut status);
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
    let (doubt, exit) = match Presence::without_supervisor(run_dir) {
        Presence::Absent if matches!(Record::read(run_dir), Ok(Some(_))) => (
            "the cluster died, and was not stopped: `clusterctl start` starts it again".to_owned(),
            Exit::Failed,
        ),
        Presence::Absent | Presence::Running(_) => return (status, Exit::Failed),
        Presence::Orphaned(_) => (
            "the supervisor died; its processes may still serve: `clusterctl start` adopts them, `clusterctl stop` ends them"
                .to_owned(),
            Exit::Unclear,
        ),
        Presence::Lost(lost) => {
            let exit = if lost.found.children.is_empty() { Exit::Failed } else { Exit::Unclear };
            (lost_state::status(&lost), exit)
        }
    };
    status.warnings.push(doubt);
    (status, exit)
}

// Private

async fn ask(run_dir: &RunDir) -> Result<Status, ClientError> {
    Client::connect(&run_dir.control_socket())
        .await?
        .call(&GetStatus)
        .await
}
