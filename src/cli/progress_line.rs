//! A line of progress: redrawn on a terminal, and removed at the end.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::Printer;

/// Time between two drawings of a spinner.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A line that is shown until it is dropped; nothing is shown where stderr is not a terminal.
pub(super) struct ProgressLine(ProgressBar);

impl ProgressLine {
    pub(super) fn new(printer: &Printer) -> ProgressLine {
        let line = ProgressBar::with_draw_target(None, target(printer)).with_style(style("{spinner} {msg}"));
        line.enable_steady_tick(TICK);
        ProgressLine(line)
    }

    /// Shows `text`, and returns whether it differs from the text before.
    pub(super) fn show(&self, text: String) -> bool {
        let is_new = self.0.message() != text;
        self.0.set_message(text);
        is_new
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Where progress is drawn.
pub(super) fn target(printer: &Printer) -> ProgressDrawTarget {
    if printer.shows_progress {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// A style of the given template.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
