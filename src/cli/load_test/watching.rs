//! A running test on a terminal: one line, redrawn.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

use crate::cli::printer::Printer;
use crate::load_test::Glance;
use crate::report;

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Shows every glance until they end; shows nothing without a terminal.
pub(super) async fn watch(mut glances: watch::Receiver<Option<Glance>>, printer: &Printer) {
    let line = Line(if printer.shows_progress {
        ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
    } else {
        ProgressBar::hidden()
    });
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        line.0.set_style(style);
    }
    line.0.enable_steady_tick(POLL_INTERVAL);
    while glances.changed().await.is_ok() {
        if let Some(glance) = glances.borrow_and_update().as_ref() {
            line.0.set_message(report::load_test_progress(glance));
        }
    }
    // The rest of the output belongs to the test.
    std::future::pending::<()>().await;
}

/// A line that is erased when this value is dropped.
struct Line(ProgressBar);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
