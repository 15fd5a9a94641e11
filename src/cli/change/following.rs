//! Follows a rollout until it is over.

use std::time::{Duration, Instant};

use super::Change;
use crate::api::{Client, ClientError, EndedRollout, GetRollout, Rollout, RolloutKind, Rollouts, Target};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt;
use crate::cli::printer::Printer;
use crate::cli::progress;
use crate::cli::progress_line::ProgressLine;
use crate::platform::RunDir;
use crate::report;

/// The time between two queries of the supervisor.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Time in which another supervisor takes the place of one that has ended: in an upgrade, or when a
/// service manager starts it again.
const RETURN_TIMEOUT: Duration = Duration::from_secs(10);

/// Follows the rollout of `change`, and shows it.
///
/// # Errors
/// When it stops, fails or is undone: with the node's last log lines. When the supervisor ends, or
/// the user presses Ctrl-C.
pub(super) async fn attend(
    change: &Change,
    run_dir: &RunDir,
    client: &Client,
    printer: &Printer,
) -> Result<(), Failure> {
    tokio::select! {
        followed = follow(change, run_dir, client, printer) => followed,
        failure = interrupted(change.verb) => Err(failure),
    }
}

/// Waits for Ctrl-C, which does not end a `verb` that the supervisor has begun.
pub(super) async fn interrupted(verb: &str) -> Failure {
    interrupt::leaves_running(verb, "`clusterctl status` shows the progress").await
}

// Private

async fn follow(
    change: &Change,
    run_dir: &RunDir,
    client: &Client,
    printer: &Printer,
) -> Result<(), Failure> {
    let mut client = client.clone();
    let mut view = View::new(printer);
    let mut following = Following {
        is_undo: change.target == Target::Undo,
        ..Following::default()
    };
    loop {
        match client.call(&GetRollout).await {
            Ok(rollouts) => match following.sees(rollouts) {
                Seen::Going(rollout) => view.show(&rollout),
                Seen::Stopped(rollout) => return Err(stopped(change, &rollout)),
                Seen::Ended(ended) => {
                    if let Some(note) = ended.as_ref().and_then(|ended| ended.note.as_ref()) {
                        printer.warning(note);
                    }
                    return following.judged(ended);
                }
            },
            Err(error @ ClientError::Refused(_)) => return Err(error.into()),
            Err(lost) => client = another_supervisor(change, run_dir, lost).await?,
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// What is known of the rollout that is followed.
#[derive(Debug, Default)]
struct Following {
    /// Whether it goes back itself.
    is_undo: bool,
    /// When it began, which tells it from others.
    since: Option<String>,
    /// The operator of a rollout that goes back, instead of this one.
    undone_by: Option<String>,
}

/// What the supervisor's answer means for the rollout that is followed.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// It goes on.
    Going(Rollout),
    /// It has stopped on its way.
    Stopped(Rollout),
    /// It is over; `None` if it is not known how.
    Ended(Option<EndedRollout>),
}

impl Following {
    fn sees(&mut self, Rollouts { current, last }: Rollouts) -> Seen {
        let since = self.since.clone();
        let is_ours = |began: &str| since.as_ref().is_none_or(|since| since == began);
        let ours = last.filter(|last| is_ours(&last.since));
        let Some(current) = current else {
            return Seen::Ended(ours);
        };
        let goes_back = current.kind == RolloutKind::Undo && !self.is_undo;
        if goes_back && (ours.is_none() || since.is_none()) {
            // A failed rollout undoes itself, and an operator may undo one that goes on.
            self.undone_by = Some(current.by.clone());
        } else if !goes_back && is_ours(&current.since) {
            self.since = Some(current.since.clone());
        } else {
            return Seen::Ended(ours);
        }
        if current.stopped.is_some() {
            Seen::Stopped(current)
        } else {
            Seen::Going(current)
        }
    }

    /// The result of a rollout that is over.
    fn judged(self, ended: Option<EndedRollout>) -> Result<(), Failure> {
        let Some(ended) = ended else {
            let why = match self.undone_by {
                Some(by) => format!("the change was undone by {by}"),
                None => "the supervisor does not know how the change ended".to_owned(),
            };
            return Err(Failure::because(why).hint("`clusterctl status` shows what runs".to_owned()));
        };
        let Some(why) = report::ended_rollout(&ended) else {
            return Ok(());
        };
        let logs = ended.node.as_deref().unwrap_or("supervisor");
        Err(Failure::because(why).hint(format!("`clusterctl logs {logs}` shows more")))
    }
}

/// The progress that was shown so far: a line that is redrawn on a terminal, else a line for each
/// step.
struct View<'a> {
    printer: &'a Printer,
    line: ProgressLine,
    /// The step that was shown, and whether it was about nodes.
    step: Option<(u32, bool)>,
}

impl View<'_> {
    fn new(printer: &Printer) -> View<'_> {
        View {
            printer,
            line: ProgressLine::new(printer),
            step: None,
        }
    }

    fn show(&mut self, rollout: &Rollout) {
        let text = report::rollout_step(rollout);
        let step = (rollout.step, rollout.node.is_some());
        let is_new = self.step.replace(step) != Some(step);
        if is_new && !self.printer.shows_progress {
            self.printer.note(&text);
        }
        self.line.show(text);
    }
}

fn stopped(change: &Change, rollout: &Rollout) -> Failure {
    let why = report::stopped_rollout(rollout).unwrap_or_default();
    let Change { resume, undo, .. } = change;
    Failure::because(why).hint(format!("`{resume}` goes on, `{undo}` goes back"))
}

/// The supervisor that takes the place of the one that was lost.
async fn another_supervisor(change: &Change, run_dir: &RunDir, lost: ClientError) -> Result<Client, Failure> {
    let deadline = Instant::now() + RETURN_TIMEOUT;
    loop {
        if let Ok(client) = Client::connect(&run_dir.control_socket()).await
            && client.call(&GetRollout).await.is_ok()
        {
            return Ok(client);
        }
        if Instant::now() >= deadline {
            let ended = progress::without_supervisor(change.verb, run_dir).await;
            return Err(ended.unwrap_or_else(|| Failure::from(lost).exit(Exit::Unclear)));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RolloutResult;

    fn rollout(kind: RolloutKind, since: &str) -> Rollout {
        Rollout {
            kind,
            step: 1,
            of: 2,
            node: Some("erlmcp1".into()),
            since: since.into(),
            by: "root (pid 1)".into(),
            doing: "erlmcp1 is being drained".into(),
            stopped: None,
            note: None,
            log: Vec::new(),
        }
    }

    fn ended(since: &str, result: RolloutResult) -> EndedRollout {
        EndedRollout {
            kind: RolloutKind::Reload,
            by: "root (pid 1)".into(),
            since: since.into(),
            ended: "later".into(),
            result,
            reason: Some("erlmcp1 does not answer".into()),
            node: Some("erlmcp1".into()),
            note: None,
            log: vec!["no database".into()],
        }
    }

    fn answer(current: Option<Rollout>, last: Option<EndedRollout>) -> Rollouts {
        Rollouts { current, last }
    }

    #[test]
    fn a_rollout_is_followed_to_its_end() {
        let mut following = Following::default();
        let going = rollout(RolloutKind::Reload, "now");
        let before = ended("before", RolloutResult::Failed);
        let seen = following.sees(answer(Some(going.clone()), Some(before)));
        assert_eq!(seen, Seen::Going(going.clone()));
        let done = ended("now", RolloutResult::Done);
        assert_eq!(
            following.sees(answer(None, Some(done.clone()))),
            Seen::Ended(Some(done.clone()))
        );
        // Another one has begun in the meantime.
        let other = rollout(RolloutKind::Scale, "later");
        assert_eq!(
            following.sees(answer(Some(other), Some(done.clone()))),
            Seen::Ended(Some(done.clone()))
        );
        assert!(following.judged(Some(done)).is_ok());
    }

    #[test]
    fn one_that_is_over_at_the_first_answer_is_the_last_one() {
        let done = ended("now", RolloutResult::Done);
        let seen = Following::default().sees(answer(None, Some(done.clone())));
        assert_eq!(seen, Seen::Ended(Some(done)));
        assert_eq!(Following::default().sees(answer(None, None)), Seen::Ended(None));
        let failure = Following::default().judged(None).unwrap_err();
        assert_eq!(
            failure.text(),
            "the supervisor does not know how the change ended"
        );
    }

    #[test]
    fn a_failed_rollout_is_followed_while_it_undoes_itself() {
        let mut following = Following::default();
        following.sees(answer(Some(rollout(RolloutKind::Reload, "now")), None));
        let before = ended("before", RolloutResult::Done);
        let undo = rollout(RolloutKind::Undo, "later");
        let seen = following.sees(answer(Some(undo.clone()), Some(before)));
        assert_eq!(seen, Seen::Going(undo));
        let undone = ended("now", RolloutResult::Undone);
        let seen = following.sees(answer(None, Some(undone.clone())));
        assert_eq!(seen, Seen::Ended(Some(undone.clone())));
        let failure = following.judged(Some(undone)).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        insta::assert_snapshot!(failure.text(), @r"
        the reload was undone at erlmcp1: erlmcp1 does not answer
          last lines of the log of erlmcp1:
            no database
        ");
        assert_eq!(failure.hint.unwrap(), "`clusterctl logs erlmcp1` shows more");
    }
    #[test]
    fn one_that_has_failed_before_the_first_answer_is_not_taken_for_its_undo() {
        let mut following = Following::default();
        let before = ended("before", RolloutResult::Done);
        let undo = rollout(RolloutKind::Undo, "later");
        let seen = following.sees(answer(Some(undo.clone()), Some(before)));
        assert_eq!(seen, Seen::Going(undo.clone()));
        let undone = ended("now", RolloutResult::Undone);
        let seen = following.sees(answer(None, Some(undone.clone())));
        assert_eq!(seen, Seen::Ended(Some(undone)));
        let mut following = Following {
            is_undo: true,
            ..Following::default()
        };
        following.sees(answer(Some(undo), None));
        let done = ended("later", RolloutResult::Done);
        let seen = following.sees(answer(None, Some(done.clone())));
        assert_eq!(seen, Seen::Ended(Some(done)));
    }

    #[test]
    fn a_rollout_that_another_operator_undoes_is_not_done() {
        let mut following = Following::default();
        following.sees(answer(Some(rollout(RolloutKind::Scale, "now")), None));
        let undo = rollout(RolloutKind::Undo, "later");
        following.sees(answer(Some(undo), None));
        let other = ended("later", RolloutResult::Done);
        let seen = following.sees(answer(None, Some(other)));
        assert_eq!(seen, Seen::Ended(None));
        let failure = following.judged(None).unwrap_err();
        assert_eq!(failure.text(), "the change was undone by root (pid 1)");
    }
}
