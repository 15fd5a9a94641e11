//! `load-test`: opens real connections, holds them, and shows whether the load is even.

mod compare;
mod report_file;
mod target;
mod target_url;
mod watching;

use tokio::sync::watch;

use super::args::LoadTest;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::base::shutdown;
use crate::load_test::results::Outcome as Ending;
use crate::load_test::{self, RunError};
use crate::report;

use report_file::ReportFile;

/// Runs the test, and shows the result.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &LoadTest) -> Outcome {
    if let Some(files) = &args.compare {
        return compare::run(settings, printer, files);
    }
    let stop = shutdown::on_signal_or_hangup().map_err(Failure::new)?;
    // First, so that a path that cannot be written is reported at once and not after the test.
    let report_file = args.report.as_deref().map(ReportFile::ready).transpose()?;
    let order = tokio::select! {
        order = target::order(settings, printer, args) => order?,
        () = stop.cancelled() => return Err(interrupted()),
    };
    let (updates, progress) = watch::channel(None);
    let results = tokio::select! {
        biased;
        results = load_test::run(&order, &updates, &stop) => results.map_err(not_run)?,
        () = watching::watch(progress, printer) => return Err(interrupted()),
    };
    if settings.json {
        printer.pretty_json(&results)?;
    } else {
        printer.data(&report::load_test(&results))?;
    }
    if let Some(report_file) = report_file {
        let page = report::load_test_page(&results).map_err(Failure::new)?;
        let path = report_file.write(&page)?;
        printer.note(&format!("wrote {}", path.display()));
    }
    Ok(match results.outcome {
        Ending::Passed => Exit::Done,
        Ending::Failed | Ending::Interrupted => Exit::Failed,
    })
}

// Private

fn interrupted() -> Failure {
    Failure::because("interrupted").exit(Exit::Interrupted)
}

fn not_run(error: RunError) -> Failure {
    match error {
        RunError::Interrupted => interrupted(),
        error => {
            let hint = error.hint();
            Failure::new(error).exit(Exit::Unclear).hint(hint)
        }
    }
}
