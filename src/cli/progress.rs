//! The progress of a start or a restart: a line for each child, redrawn on a terminal.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar};

use super::exit::Exit;
use super::failure::Failure;
use super::interrupt;
use super::printer::Printer;
use super::progress_line::{TICK, style, target};
use crate::api::{Client, ClientError, GetProgress, GetStatus, Progress, ProgressState, Step, StepState};
use crate::platform::RunDir;
use crate::report;
use crate::supervisor::Presence;

/// The time between two queries of the supervisor.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// A supervisor ends within this time: nodes have 10 s, a balancer's clients a few more.
const END_TIMEOUT: Duration = Duration::from_mins(1);

/// A start or a restart that failed, or cannot be followed any more.
#[derive(Debug)]
pub(super) struct NotServing {
    pub(super) failure: Failure,
    /// Whether everything was undone, so that the supervisor ends.
    pub(super) undone: bool,
}

/// Follows what `verb` has begun and shows it. If it cannot be followed to its end, the
/// error gives the reason.
///
/// # Errors
/// When it fails: with the child's last log lines. When the supervisor ends, or the user
/// presses Ctrl-C.
pub(super) async fn attend(
    verb: &str,
    client: &Client,
    run_dir: &RunDir,
    printer: &Printer,
) -> Result<(), NotServing> {
    let followed = tokio::select! {
        followed = follow(client, printer) => followed,
        failure = interrupted(verb) => Err(NotServing { failure, undone: false }),
    };
    match followed {
        Err(lost) if lost.failure.exit == Exit::Unclear => Err(NotServing {
            failure: without_supervisor(verb, run_dir).await.unwrap_or(lost.failure),
            undone: false,
        }),
        followed => followed,
    }
}

impl From<NotServing> for Failure {
    fn from(not_serving: NotServing) -> Failure {
        not_serving.failure
    }
}

/// Waits until it is over, without showing anything.
///
/// # Errors
/// When it fails: with the child's last log lines.
pub(super) async fn outcome(client: &Client) -> Result<(), NotServing> {
    loop {
        let progress = client.call(&GetProgress).await.map_err(lost)?;
        match progress.outcome {
            ProgressState::Running => tokio::time::sleep(POLL_INTERVAL).await,
            ProgressState::Done => return Ok(()),
            ProgressState::Failed { .. } => return Err(failed(&progress)),
        }
    }
}

/// Waits for Ctrl-C, which does not end a `verb` that the supervisor has begun.
pub(super) async fn interrupted(verb: &str) -> Failure {
    interrupt::leaves_running(
        verb,
        "`clusterctl status` shows the progress, `clusterctl stop` ends it",
    )
    .await
}

// Private

/// Shows the progress until it is over.
async fn follow(client: &Client, printer: &Printer) -> Result<(), NotServing> {
    let mut view = View::new(printer);
    loop {
        let progress = client.call(&GetProgress).await.map_err(lost)?;
        view.show(&progress.steps);
        match progress.outcome {
            ProgressState::Running => tokio::time::sleep(POLL_INTERVAL).await,
            ProgressState::Done => return Ok(()),
            ProgressState::Failed { .. } => return Err(failed(&progress)),
        }
    }
}

/// Why a supervisor no longer answers, if the reason is that it has ended. A supervisor that is
/// ending listens as long as its nodes do, and is waited for.
pub(super) async fn without_supervisor(verb: &str, run_dir: &RunDir) -> Option<Failure> {
    let deadline = Instant::now() + END_TIMEOUT;
    loop {
        match Presence::of(run_dir).await.ok()? {
            Presence::Running(client) => {
                if Instant::now() > deadline || client.call(&GetStatus).await.is_ok() {
                    return None;
                }
            }
            Presence::Absent => {
                let error = format!("the cluster was stopped before the {verb} was done");
                return Some(Failure::because(error));
            }
            Presence::Orphaned(_) | Presence::Lost(_) => {
                let error = format!("the supervisor died before the {verb} was done");
                let hint = "its processes may still serve: `clusterctl start` adopts them, `clusterctl stop` ends them";
                return Some(Failure::because(error).hint(hint.to_owned()));
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The steps shown so far.
struct View<'a> {
    printer: &'a Printer,
    lines: MultiProgress,
    children: Vec<(Step, ProgressBar)>,
}

impl View<'_> {
    fn new(printer: &Printer) -> View<'_> {
        View {
            printer,
            lines: MultiProgress::with_draw_target(target(printer)),
            children: Vec::new(),
        }
    }

    fn show(&mut self, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            match self.children.get_mut(index) {
                Some((shown, _)) if shown == step => continue,
                Some((shown, _)) => shown.clone_from(step),
                None => {
                    let line = self
                        .lines
                        .add(ProgressBar::new_spinner().with_style(style("{spinner} {msg}")));
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
                line.enable_steady_tick(TICK);
            }
            StepState::Ready | StepState::Adopted | StepState::Failed => {
                // A failure is reported by the error at the end.
                if !self.printer.shows_progress && step.state != StepState::Failed {
                    self.printer.note(&text);
                }
                // Its mark replaces the spinner.
                line.set_style(style("{msg}"));
                line.finish_with_message(text);
            }
        }
    }
}

fn failed(progress: &Progress) -> NotServing {
    let ProgressState::Failed {
        error, child, undone, ..
    } = &progress.outcome
    else {
        return NotServing {
            failure: Failure::because("not started"),
            undone: false,
        };
    };
    let failure =
        Failure::because(report::failed_progress(&progress.outcome).unwrap_or_else(|| error.clone()));
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
        failure: Failure::from(error).exit(Exit::Unclear),
        undone: false,
    }
}
