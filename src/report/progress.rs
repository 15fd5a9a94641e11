//! The progress of a start or a restart, and why it failed.

use super::style;
use crate::api::{ProgressState, Step, StepState};

/// The line of one child.
#[must_use]
pub fn step(step: &Step) -> String {
    let Step { name, state } = step;
    match state {
        StepState::Waiting => format!("{name} {}", style::dim("waiting")),
        StepState::Starting => format!("{name} starting"),
        StepState::Ready => format!("{} {name} ready", style::green("✓")),
        StepState::Adopted => format!("{} {name} adopted, it was running", style::green("✓")),
        StepState::Failed => format!("{} {name} failed", style::red("✗")),
    }
}

/// Why a start or a restart failed, and the last lines that the child logged; `None` while it has not
/// failed.
#[must_use]
pub fn failed_progress(outcome: &ProgressState) -> Option<String> {
    let ProgressState::Failed {
        error, child, log, ..
    } = outcome
    else {
        return None;
    };
    let prefix = child.as_ref().map_or(String::new(), |child| format!("{child}: "));
    Some(format!("{prefix}{error}{}", last_lines(child.as_deref(), log)))
}

/// The last lines that `child` logged, below a text.
pub(super) fn last_lines(child: Option<&str>, log: &[String]) -> String {
    let title = child.filter(|_| !log.is_empty());
    let title = title.map_or(String::new(), |child| {
        format!("\n  last lines of the log of {child}:")
    });
    let lines: Vec<&str> = log.iter().flat_map(|line| ["\n    ", line]).collect();
    format!("{title}{}", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::super::testing::plain;
    use super::*;

    #[test]
    fn a_failed_child_is_shown_with_its_log() {
        let outcome = ProgressState::Failed {
            error: "exited with code 1".into(),
            child: Some("erlmcp2".into()),
            log: vec!["cannot bind 127.0.0.1:9002".into(), "address in use".into()],
            undone: true,
        };
        insta::assert_snapshot!(failed_progress(&outcome).unwrap(), @r"
        erlmcp2: exited with code 1
          last lines of the log of erlmcp2:
            cannot bind 127.0.0.1:9002
            address in use
        ");
        assert_eq!(failed_progress(&ProgressState::Done), None);
    }

    #[test]
    fn every_state_has_a_text() {
        let text = |state| {
            plain(&step(&Step {
                name: "erlmcp1".into(),
                state,
            }))
        };
        assert_eq!(text(StepState::Starting), "erlmcp1 starting");
        assert_eq!(text(StepState::Ready), "✓ erlmcp1 ready");
        assert_eq!(text(StepState::Failed), "✗ erlmcp1 failed");
    }
}
