//! Changes of what runs: the plan is shown, the operator is asked, and the rollout is followed.

mod confirmation;
mod following;

use super::args::{Closing, Planning};
use super::exit::Exit;
use super::failure::Failure;
use super::operator::operator;
use super::printer::Printer;
use super::settings::Settings;
use crate::api::{ChangeOrder, Changed, Client, ClientError, Target};
use crate::platform::RunDir;
use crate::report;
use confirmation::Confirmation;

/// A change that a command wants.
pub(super) struct Change {
    /// What is wanted.
    pub(super) target: Target,
    /// Its name in messages: `reload`.
    pub(super) verb: &'static str,
    /// The flags about the plan.
    pub(super) planning: Planning,
    /// The flags about connections.
    pub(super) closing: Closing,
    /// Whether the last node that serves may go.
    pub(super) force: bool,
    /// Whether a person can be asked.
    pub(super) can_ask: bool,
    /// The command that goes on with a rollout that has stopped.
    pub(super) resume: &'static str,
    /// The command that undoes it.
    pub(super) undo: &'static str,
}

/// What became of a change.
pub(super) enum Outcome {
    /// It was only planned, and the plan is printed.
    Planned(Exit),
    /// The operator did not want it.
    Declined,
    /// It is carried out.
    Done(Changed),
}

impl Change {
    /// Shows the plan, asks if connections will be closed, and returns when the change is carried
    /// out.
    ///
    /// # Errors
    /// When it is refused, fails or is undone.
    pub(super) async fn carry_out(
        &self,
        settings: &Settings,
        printer: &Printer,
        run_dir: &RunDir,
        client: &Client,
    ) -> Result<Outcome, Failure> {
        let confirmation = Confirmation::new(self.planning, self.closing, self.can_ask && !settings.json);
        let order = ChangeOrder {
            target: self.target.clone(),
            dry_run: true,
            close: confirmation.closes(),
            deadline: self.closing.deadline,
            force: self.force,
            by: operator(),
        };
        let planned = client.call(&order).await;
        let plan = match planned {
            Ok(planned) => planned.plan,
            Err(error) => return Err(self.refused(error)),
        };
        if self.planning.dry_run {
            if settings.json {
                printer.pretty_json(&plan)?;
            } else {
                printer.data(&report::change_plan(&plan))?;
            }
            let is_possible = plan.impossible.is_empty();
            return Ok(Outcome::Planned(if is_possible {
                Exit::Done
            } else {
                Exit::Failed
            }));
        }
        for sentence in &plan.sentences {
            printer.note(sentence);
        }
        if !plan.impossible.is_empty() {
            return Err(Failure::because(plan.impossible.join("\n       "))
                .hint("`clusterctl stop`, then `clusterctl start` with the new profile".to_owned()));
        }
        if confirmation.has_no_deadline() {
            printer.warning("`--deadline` has no effect without `--close` or `--yes`");
        }
        if confirmation.is_asked(&plan) && !confirmation::agrees(printer).await? {
            return Ok(Outcome::Declined);
        }
        let order = ChangeOrder {
            dry_run: false,
            ..order
        };
        let changed = tokio::select! {
            changed = client.call(&order) => changed,
            failure = following::interrupted(self.verb) => return Err(failure),
        };
        let changed = match changed {
            Ok(changed) => changed,
            Err(error) => return Err(self.refused(error)),
        };
        if changed.rollout {
            following::attend(self, run_dir, client, printer).await?;
        }
        Ok(Outcome::Done(changed))
    }

    // Private

    /// The failure of the order.
    fn refused(&self, error: ClientError) -> Failure {
        match error {
            ClientError::UnknownCall(_) => Failure::because(format!(
                "the running supervisor is of an older version, which does not know this {}",
                self.verb
            ))
            .hint("`clusterctl start` upgrades it".to_owned()),
            ClientError::Ended => Failure::new(error)
                .exit(Exit::Unclear)
                .hint("`clusterctl start` starts another one, which goes on with the change".to_owned()),
            error => error.into(),
        }
    }
}

/// The flags and the result of a change without more of its own to report.
///
/// # Errors
/// When it is refused, fails or is undone.
pub(super) async fn run(settings: &Settings, printer: &Printer, change: &Change) -> super::failure::Outcome {
    let run_dir = settings.run_dir()?;
    let client = Client::connect(&run_dir.control_socket()).await?;
    match change.carry_out(settings, printer, &run_dir, &client).await? {
        Outcome::Planned(exit) => Ok(exit),
        Outcome::Declined => Ok(declined(printer)),
        Outcome::Done(changed) => {
            if settings.json {
                printer.pretty_json(&changed)?;
            } else {
                let nodes = report::changed_nodes(&changed.plan);
                printer.note(nodes.as_deref().unwrap_or("nothing changes"));
            }
            Ok(Exit::Done)
        }
    }
}

/// What is said when the operator did not want the change.
pub(super) fn declined(printer: &Printer) -> Exit {
    printer.note("nothing was changed");
    Exit::Failed
}

/// The commands that go on with a stopped rollout, and that undo it, after most commands.
pub(super) const RESUME: &str = "clusterctl reload";
pub(super) const UNDO: &str = "clusterctl reload --undo";
