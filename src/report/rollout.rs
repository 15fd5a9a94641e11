//! How far a rollout is, and how it ended.

use super::progress::last_lines;
use super::style;
use crate::api::{EndedRollout, Rollout, RolloutKind, RolloutResult};

/// What the rollout does now, on one line.
#[must_use]
pub fn rollout_step(rollout: &Rollout) -> String {
    let Rollout {
        kind,
        step,
        of,
        doing,
        ..
    } = rollout;
    let way = if *kind == RolloutKind::Undo {
        "going back, "
    } else {
        ""
    };
    format!("{way}step {step} of {of}: {doing}")
}

/// Why the rollout has stopped, and the last lines that the node logged; `None` while it goes on.
#[must_use]
pub fn stopped_rollout(rollout: &Rollout) -> Option<String> {
    let why = rollout.stopped.as_ref()?;
    let node = rollout.node.as_deref();
    let at = node.map_or_else(String::new, |node| format!(" ({node})"));
    let Rollout {
        kind, step, of, log, ..
    } = rollout;
    Some(format!(
        "{} stopped at step {step} of {of}{at}: {why}{}",
        the(*kind),
        last_lines(node, log)
    ))
}

/// Why the rollout was not done, and the last lines that the node logged; `None` if it was done.
#[must_use]
pub fn ended_rollout(ended: &EndedRollout) -> Option<String> {
    let how = match ended.result {
        RolloutResult::Done => return None,
        RolloutResult::Failed => "failed",
        RolloutResult::Undone => "was undone",
    };
    let why = ended.reason.as_ref();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let node = ended.node.as_deref();
    let at = node.map_or_else(String::new, |node| format!(" at {node}"));
    let log = last_lines(node, &ended.log);
    Some(format!("{} {how}{at}{why}{log}", the(ended.kind)))
}

/// The rollout in the status: what it is, what it does, and the operator.
pub(super) fn section(rollout: Option<&Rollout>) -> String {
    let Some(rollout) = rollout else {
        return String::new();
    };
    let Rollout {
        kind,
        step,
        of,
        since,
        by,
        doing,
        stopped,
        note,
        ..
    } = rollout;
    let note = note
        .as_ref()
        .map_or_else(String::new, |note| format!("  {note}\n"));
    let (state, what) = match stopped {
        None => (style::yellow("RUNNING"), doing.clone()),
        Some(why) => (
            style::red("STOPPED"),
            format!("{why}\n  `clusterctl reload` goes on, `clusterctl reload --undo` goes back"),
        ),
    };
    let words = kind.words();
    format!("Rollout: {state}, step {step} of {of} of {words}\n  {what}\n{note}  by {by} since {since}\n")
}

// Private

/// The kind for people, as one that is known.
fn the(kind: RolloutKind) -> String {
    let words = kind.words();
    let (_article, noun) = words.split_once(' ').unwrap_or(("", words));
    format!("the {noun}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{plain, rolling};
    use super::*;

    #[test]
    fn a_rollout_is_shown_with_its_step_and_its_operator() {
        assert_eq!(
            rollout_step(&rolling()),
            "step 2 of 4: erlmcp2 is being drained: 37 connections"
        );
        let undo = Rollout {
            kind: RolloutKind::Undo,
            ..rolling()
        };
        assert!(rollout_step(&undo).starts_with("going back, step 2 of 4: "));
        assert_eq!(stopped_rollout(&rolling()), None);
        assert_eq!(section(None), "");
        insta::assert_snapshot!(plain(&section(Some(&rolling()))), @r"
        Rollout: RUNNING, step 2 of 4 of a rolling restart
          erlmcp2 is being drained: 37 connections
          by root (pid 4711) since 2026-11-29T16:40:02Z
        ");
    }

    #[test]
    fn a_rollout_whose_first_nodes_had_no_clients_has_a_note() {
        let rollout = Rollout {
            note: Some("the balancer counted no requests to erlmcp1: only its checks were judged".into()),
            ..rolling()
        };
        insta::assert_snapshot!(plain(&section(Some(&rollout))), @r"
        Rollout: RUNNING, step 2 of 4 of a rolling restart
          erlmcp2 is being drained: 37 connections
          the balancer counted no requests to erlmcp1: only its checks were judged
          by root (pid 4711) since 2026-11-29T16:40:02Z
        ");
    }

    #[test]
    fn a_stopped_rollout_says_why_and_what_to_do() {
        let stopped = Rollout {
            stopped: Some("exited with code 3".into()),
            log: vec!["no database".into()],
            ..rolling()
        };
        insta::assert_snapshot!(stopped_rollout(&stopped).unwrap(), @r"
        the rolling restart stopped at step 2 of 4 (erlmcp2): exited with code 3
          last lines of the log of erlmcp2:
            no database
        ");
        insta::assert_snapshot!(plain(&section(Some(&stopped))), @r"
        Rollout: STOPPED, step 2 of 4 of a rolling restart
          exited with code 3
          `clusterctl reload` goes on, `clusterctl reload --undo` goes back
          by root (pid 4711) since 2026-11-29T16:40:02Z
        ");
        for line in plain(&section(Some(&stopped))).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn an_ended_rollout_has_a_reason_unless_it_is_done() {
        let mut ended = EndedRollout {
            kind: RolloutKind::Reload,
            by: "root (pid 4711)".into(),
            since: "2026-11-29T16:40:02Z".into(),
            ended: "2026-11-29T16:41:02Z".into(),
            result: RolloutResult::Done,
            reason: None,
            node: None,
            note: None,
            log: Vec::new(),
        };
        assert_eq!(ended_rollout(&ended), None);
        ended.result = RolloutResult::Failed;
        assert_eq!(ended_rollout(&ended).unwrap(), "the reload failed");
        ended.result = RolloutResult::Undone;
        ended.reason = Some("2 % of the answers of erlmcp1 are 5xx, more than 1 %".into());
        ended.node = Some("erlmcp1".into());
        ended.log = vec!["cannot open the queue".into()];
        insta::assert_snapshot!(ended_rollout(&ended).unwrap(), @r"
        the reload was undone at erlmcp1: 2 % of the answers of erlmcp1 are 5xx, more than 1 %
          last lines of the log of erlmcp1:
            cannot open the queue
        ");
    }
}
