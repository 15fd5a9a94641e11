//! `restart --rolling`: new processes for all nodes, batch by batch, without refusing a client.

use super::args;
use super::change::{self, Change};
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::api::Target;
use crate::profile::load;
use crate::supervisor::Record;

/// Restarts the nodes, and returns when all of them serve again.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Restart) -> Outcome {
    let target = match args {
        args::Restart { undo: true, .. } => Target::Undo,
        args::Restart { resume: true, .. } => Target::Resume,
        args::Restart {
            batch: Some(batch), ..
        } => Target::Restart { batch: *batch },
        args::Restart { batch: None, .. } => Target::Restart {
            batch: batch_of_profile(settings).await?,
        },
    };
    let change = Change {
        target,
        verb: "rolling restart",
        planning: args.planning,
        closing: args.closing,
        force: false,
        can_ask: printer.can_ask(),
        resume: "clusterctl restart --rolling --resume",
        undo: "clusterctl restart --rolling --undo",
    };
    change::run(settings, printer, &change).await
}

// Private

/// How many nodes the running cluster's profile lets be away at the same time.
async fn batch_of_profile(settings: &Settings) -> Result<u16, Failure> {
    let record = Record::of_running(&settings.run_dir()?)
        .await
        .map_err(Failure::new)?;
    let running = record.and_then(|record| load(&record.launch.source).ok());
    Ok(running.map_or(1, |cluster| cluster.rollout.batch))
}
