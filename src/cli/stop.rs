//! `stop`: ends the cluster, and leaves nothing running.

use std::time::Duration;

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::api::{Client, ClientError, StopOrder};
use crate::platform::RunDir;
use crate::supervisor::{Presence, stop_orphans};

/// What the supervisor gets beyond the connections' grace, to end every child the hard way if need be.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at whether the supervisor has gone.
const LOOK: Duration = Duration::from_millis(50);

/// Stops it, and returns when it is gone.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Stop) -> Outcome {
    let run_dir = settings.run_dir()?;
    match Presence::of(&run_dir).await? {
        Presence::Running(client) => {
            client.stop(&StopOrder { grace: args.grace }).await?;
            gone(&run_dir, args.grace.duration() + PATIENCE).await?;
            printer.note("stopped");
        }
        Presence::Orphaned(record) => {
            stop_orphans(&record, &run_dir, args.grace.duration()).await?;
            printer.note("stopped what a killed supervisor had left running");
        }
        Presence::Absent => {
            // What a host that went down has left.
            run_dir.clean().map_err(Failure::new)?;
            printer.note("nothing is running");
        }
    }
    Ok(Exit::Done)
}

// Private

/// Waits until nobody listens any more.
async fn gone(run_dir: &RunDir, patience: Duration) -> Result<(), Failure> {
    let socket = run_dir.control_socket();
    let watch = async {
        while !matches!(Client::connect(&socket).await, Err(ClientError::NotRunning(_))) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(patience, watch).await.map_err(|_| {
        Failure::because(format!("the supervisor has not ended within {patience:?}"))
            .hint("`clusterctl logs supervisor` shows what it waits for".to_owned())
    })
}
