//! A running test on a terminal: one line, redrawn.

use tokio::sync::watch;

use crate::cli::printer::Printer;
use crate::cli::progress_line::ProgressLine;
use crate::load_test::Progress;
use crate::report;

/// Shows every glance until they end; shows nothing without a terminal.
pub(super) async fn watch(mut updates: watch::Receiver<Option<Progress>>, printer: &Printer) {
    let line = ProgressLine::new(printer);
    while updates.changed().await.is_ok() {
        if let Some(progress) = updates.borrow_and_update().as_ref() {
            line.show(report::load_test_progress(progress));
        }
    }
    // The rest of the output belongs to the test.
    std::future::pending::<()>().await;
}
