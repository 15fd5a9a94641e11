//! `stats`: the balancer's own statistics.

use super::exit::Exit;
use super::failure::Outcome;
use super::printer::Printer;
use super::settings::Settings;
use crate::api::{Client, GetStats};
use crate::report;

/// Shows the statistics.
pub(super) async fn run(settings: &Settings, printer: &Printer) -> Outcome {
    let client = Client::connect(&settings.run_dir()?.control_socket()).await?;
    let stats = client.call(&GetStats).await?;
    if settings.json {
        printer.pretty_json(&stats)?;
    } else {
        printer.data(&report::stats(&stats))?;
    }
    Ok(Exit::Done)
}
