//! How a start or a restart gets on: a line for each child, redrawn on a terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::failure::Failure;
use super::printer::Printer;
use crate::api::{Client, ClientError, Progress, Rollout, Step, StepState};
use crate::report;

/// Between two questions to the supervisor.
const LOOK: Duration = Duration::from_millis(100);

/// A rollout that failed, or cannot be followed any more.
#[derive(Debug)]
pub(super) struct NotServing {
    pub(super) failure: Failure,
    /// Whether everything was undone, and the supervisor ends.
    pub(super) undone: bool,
}

impl From<NotServing> for Failure {
    fn from(not_serving: NotServing) -> Failure {
        not_serving.failure
    }
}

/// Shows the rollout until it is over.
///
/// # Errors
/// When it fails: with the child's last log lines.
pub(super) async fn follow(client: &Client, printer: &Printer) -> Result<(), NotServing> {
    let mut view = View::new(printer);
    loop {
        let progress = client.progress().await.map_err(lost)?;
        view.show(&progress.steps);
        match progress.rollout {
            Rollout::Running => tokio::time::sleep(LOOK).await,
            Rollout::Done => return Ok(()),
            Rollout::Failed { .. } => return Err(failed(&progress)),
        }
    }
}

/// Waits until the rollout is over, and shows nothing.
///
/// # Errors
/// When it fails: with the child's last log lines.
pub(super) async fn outcome(client: &Client) -> Result<(), NotServing> {
    loop {
        let progress = client.progress().await.map_err(lost)?;
        match progress.rollout {
            Rollout::Running => tokio::time::sleep(LOOK).await,
            Rollout::Done => return Ok(()),
            Rollout::Failed { .. } => return Err(failed(&progress)),
        }
    }
}

// Private

/// What was shown so far.
struct View<'a> {
    printer: &'a Printer,
    lines: MultiProgress,
    children: Vec<(Step, ProgressBar)>,
}

impl View<'_> {
    fn new(printer: &Printer) -> View<'_> {
        let target = if printer.shows_progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        View {
            printer,
            lines: MultiProgress::with_draw_target(target),
            children: Vec::new(),
        }
    }

    fn show(&mut self, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            match self.children.get_mut(index) {
                Some((shown, _)) if shown == step => continue,
                Some((shown, _)) => shown.clone_from(step),
                None => {
                    let line = self.lines.add(ProgressBar::new_spinner().with_style(style()));
                    self.children.push((step.clone(), line));
                }
            }
            self.draw(index);
        }
    }

    fn draw(&self, index: usize) {
        let (step, line) = &self.children[index];
        let text = report::step(step);
        match step.state {
            StepState::Waiting => line.set_message(text),
            StepState::Starting => {
                line.set_message(text);
                line.enable_steady_tick(LOOK);
            }
            StepState::Ready | StepState::Adopted | StepState::Failed => {
                // What fails is told by the error at the end.
                if !self.printer.shows_progress && step.state != StepState::Failed {
                    self.printer.note(&text);
                }
                line.finish_with_message(text);
            }
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        // The last one stands when it is over, and the message has a mark of its own.
        .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "])
}

fn failed(progress: &Progress) -> NotServing {
    let Rollout::Failed {
        error, child, undone, ..
    } = &progress.rollout
    else {
        return NotServing {
            failure: Failure::because("not started"),
            undone: false,
        };
    };
    let failure =
        Failure::because(report::failed_rollout(&progress.rollout).unwrap_or_else(|| error.clone()));
    let hint = child
        .as_ref()
        .map(|child| format!("`clusterctl logs {child}` shows more"));
    NotServing {
        failure: failure.hint(hint),
        undone: *undone,
    }
}

fn lost(error: ClientError) -> NotServing {
    NotServing {
        failure: error.into(),
        undone: false,
    }
}
