//! `scale`: another number of nodes.

use super::args;
use super::change::{self, Change, RESUME, UNDO};
use super::failure::Outcome;
use super::printer::Printer;
use super::settings::Settings;
use crate::api::Target;

/// Changes the number of nodes, and returns when those that are left serve.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Scale) -> Outcome {
    let change = Change {
        target: Target::Count(args.count),
        verb: "change of the number of nodes",
        planning: args.planning,
        closing: args.closing,
        force: false,
        can_ask: printer.can_ask(),
        resume: RESUME,
        undo: UNDO,
    };
    change::run(settings, printer, &change).await
}
