//! Whether connections are closed for a change, and whether the operator is asked before.

use crate::api::ChangePlan;
use crate::cli::args::{Closing, Planning};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::platform::terminal::typed_line;

/// What the flags and the terminal decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confirmation {
    planning: Planning,
    closing: Closing,
    /// Whether a person can answer.
    is_interactive: bool,
}

impl Confirmation {
    pub(super) const fn new(planning: Planning, closing: Closing, is_interactive: bool) -> Confirmation {
        Confirmation {
            planning,
            closing,
            is_interactive,
        }
    }

    /// Whether connections that are left at the deadline are closed: where this was ordered, or
    /// where a person agrees to it.
    pub(super) const fn closes(self) -> bool {
        self.closing.close || self.planning.yes || self.is_interactive
    }

    /// Whether there is a deadline at which nothing happens.
    pub(super) const fn has_no_deadline(self) -> bool {
        self.closing.deadline.is_some() && !self.closes()
    }

    /// Whether to ask before the change of `plan`.
    pub(super) const fn is_asked(self, plan: &ChangePlan) -> bool {
        let cuts = plan.connections > 0;
        let goes = !plan.replaced.is_empty() || !plan.removed.is_empty();
        let says_so = goes && (self.closing.close || self.closing.deadline.is_some());
        self.is_interactive && !self.planning.yes && (cuts || says_so || plan.outage)
    }
}

/// Asks, and waits for the answer; Ctrl-C ends the wait. An empty answer means no.
pub(super) async fn agrees(printer: &Printer) -> Result<bool, Failure> {
    printer.ask("Go on? [y/N] ");
    let answer = typed_line().await.map_err(Failure::new)?;
    Ok(is_yes(&answer))
}

// Private

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmation(flags: &str, is_interactive: bool) -> Confirmation {
        let has = |flag: &str| flags.split(' ').any(|it| it == flag);
        let planning = Planning {
            yes: has("yes"),
            ..Planning::default()
        };
        let closing = Closing {
            close: has("close"),
            deadline: has("deadline").then(|| "5s".parse().unwrap()),
        };
        Confirmation::new(planning, closing, is_interactive)
    }

    fn plan(connections: u64) -> ChangePlan {
        ChangePlan {
            removed: vec!["erlmcp4".into()],
            connections,
            ..ChangePlan::default()
        }
    }

    #[test]
    fn without_a_terminal_nothing_is_closed_unless_it_is_ordered() {
        for (flags, closes) in [("", false), ("deadline", false), ("yes", true), ("close", true)] {
            let confirmation = confirmation(flags, false);
            assert_eq!(confirmation.closes(), closes, "{flags}");
            assert!(!confirmation.is_asked(&plan(10)), "{flags}");
            assert_eq!(confirmation.has_no_deadline(), flags == "deadline");
        }
    }

    #[test]
    fn on_a_terminal_it_is_asked_before_connections_are_closed() {
        for (flags, connections, asked) in [
            ("", 0, false),
            ("", 1, true),
            ("close", 0, true),
            ("deadline", 0, true),
            ("yes", 1, false),
            ("yes close deadline", 1, false),
        ] {
            let confirmation = confirmation(flags, true);
            assert!(confirmation.closes(), "{flags}");
            assert_eq!(
                confirmation.is_asked(&plan(connections)),
                asked,
                "{flags} {connections}"
            );
        }
        assert!(!confirmation("close deadline", true).is_asked(&ChangePlan::default()));
    }

    #[test]
    fn on_a_terminal_it_is_asked_before_the_only_node_is_replaced() {
        let plan = ChangePlan {
            replaced: vec!["erlmcp1".into()],
            outage: true,
            ..ChangePlan::default()
        };
        for (flags, is_interactive, asked) in [("", true, true), ("yes", true, false), ("", false, false)] {
            assert_eq!(
                confirmation(flags, is_interactive).is_asked(&plan),
                asked,
                "{flags}"
            );
        }
    }

    #[test]
    fn only_yes_is_an_agreement() {
        for answer in ["y\n", "Y", " yes \n"] {
            assert!(is_yes(answer), "{answer}");
        }
        for answer in ["", "\n", "n\n", "no", "yeah?", "ok"] {
            assert!(!is_yes(answer), "{answer}");
        }
    }
}
