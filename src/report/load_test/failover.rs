//! The clients of a node that failed, step by step.

use super::super::status::section;
use crate::load_test::results::{ErrorCount, Failover, FailoverMode, NodeCount};

/// What was done to the node, in the past tense.
pub(super) const fn done(mode: FailoverMode) -> &'static str {
    match mode {
        FailoverMode::Kill => "killed",
        FailoverMode::Stop => "stopped",
    }
}

/// The steps in order, each with its time. Steps that were not seen are left out.
pub(super) fn steps(failover: &Failover) -> Vec<(f64, String)> {
    let clients = failover.clients;
    let begun = format!(
        "{} {}, with {clients} clients",
        failover.node,
        done(failover.mode)
    );
    let seen = [
        (failover.detected_ms, "noticed by the supervisor"),
        (failover.cut_p50_ms, "half of its clients cut off"),
        (failover.cut_p100_ms, "all of them cut off"),
        (failover.rehomed_p50_ms, "half of them served elsewhere"),
        (failover.rehomed_p100_ms, "all of them served elsewhere"),
        (failover.back_ms, "the node serves again"),
    ];
    let seen = seen
        .into_iter()
        .filter_map(|(ms, what)| Some((ms?, what.to_owned())));
    let mut steps: Vec<(f64, String)> = [(0.0, begun)].into_iter().chain(seen).collect();
    steps.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    steps
}

/// The steps with their times, and the nodes of all clients at the end.
pub(super) fn failover(failover: &Failover) -> String {
    let course = steps(failover)
        .into_iter()
        .map(|(ms, what)| format!("{ms:>6.0} ms  {what}"));
    let lines: Vec<String> = course.chain(aftermath(failover)).collect();
    let title = format!("Failover of {} at {:.1} s", failover.node, failover.at_seconds);
    section(&title, &lines)
}

/// The new nodes of its clients, other clients that were affected, and errors on the way.
pub(super) fn aftermath(failover: &Failover) -> Vec<String> {
    let Failover {
        homeless,
        failed_attempts,
        bystanders,
        ..
    } = failover;
    let lines = [
        (!failover.rehomed_to.is_empty())
            .then(|| format!("served elsewhere: {}", places(&failover.rehomed_to))),
        (!failover.after.is_empty()).then(|| format!("connections then: {}", places(&failover.after))),
        Some(format!(
            "not served elsewhere: {homeless}; other nodes' clients cut off: {bystanders}"
        )),
        (*failed_attempts > 0)
            .then(|| format!("attempts to be served elsewhere that failed: {failed_attempts}")),
    ];
    let errors = failover.errors.iter().map(error);
    lines.into_iter().flatten().chain(errors).collect()
}

// Private

fn error(error: &ErrorCount) -> String {
    format!("  {} {}: {}", error.count, error.kind.name(), error.example)
}

fn places(nodes: &[NodeCount]) -> String {
    let places = nodes
        .iter()
        .map(|node| format!("{} {}", node.name, node.connections));
    places.collect::<Vec<_>>().join(", ")
}
