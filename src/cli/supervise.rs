//! `supervise`: the supervisor that `start` spawns; its output is a log.

use super::exit::Exit;
use super::failure::Outcome;
use super::settings::Settings;
use crate::base::telemetry;
use crate::supervisor;

/// Supervises until it is stopped.
pub(super) async fn run(settings: &Settings) -> Outcome {
    telemetry::init();
    supervisor::supervise_detached(settings.run_dir()?).await?;
    Ok(Exit::Done)
}
