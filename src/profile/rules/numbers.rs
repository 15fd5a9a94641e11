//! Numbers, durations and shares must be within valid bounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::base::units::{Percent, Period};
use crate::profile::document::{Document, Runtime};
use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;

/// More connections than any machine holds; sums of them fit every integer.
const MANY: u64 = 10_000_000;
/// The type with which HAProxy counts connections.
const HAPROXY_INT: u64 = i32::MAX as u64;
/// HAProxy's timers are signed 32-bit numbers of milliseconds.
const MAX_PERIOD: Duration = Duration::from_millis(i32::MAX as u64);

/// The paths of whole numbers, with their bounds.
const BOUNDS: [(&str, RangeInclusive<u64>); 18] = [
    ("nodes.count", 1..=1_000),
    ("nodes.target", 1..=MANY),
    ("nodes.maxconn", 1..=MANY),
    ("nodes.weight", 1..=256),
    ("nodes.restart.give_up_after", 0..=u32::MAX as u64),
    ("nodes.erlang.fullsweep_after", 0..=u16::MAX as u64),
    ("routing.table.size", 1..=100 * MANY),
    ("limits.maxconn", 1..=MANY),
    ("limits.head", 4_096..=1_048_576),
    ("limits.body", 1_024..=1 << 40),
    ("limits.per_ip.connections", 0..=MANY),
    ("limits.per_ip.connection_rate", 0..=MANY),
    ("limits.per_ip.message_rate", 0..=MANY),
    ("health.rise", 1..=1_000),
    ("health.fall", 1..=1_000),
    ("health.eject", 1..=1_000),
    ("rollout.canary", 0..=1_000),
    ("rollout.batch", 1..=1_000),
];

/// The bounds of the whole number at `path`.
pub(in crate::profile) fn range_of(path: &str) -> Option<RangeInclusive<u64>> {
    let (_, range) = BOUNDS.iter().find(|(known, _)| *known == path)?;
    Some(range.clone())
}

/// Whole numbers must be within their bounds.
pub(super) fn bounds(written: &ParsedProfile) -> Vec<Problem> {
    numbers(&written.document)
        .into_iter()
        .filter_map(|(path, number)| Some((path, number, range_of(path)?)))
        .filter(|(_, number, range)| !range.contains(number))
        .map(|(path, number, range)| {
            let problem = written.problem(path, format!("`{path}` cannot be {number}"));
            let range = format!("it is {} to {}", range.start(), range.end());
            problem.hint(match (path, number) {
                ("nodes.weight", 0) => {
                    format!("all nodes would have weight 0 and get no connections; {range}")
                }
                _ => range,
            })
        })
        .collect()
}

/// Durations must be above zero, and not longer than HAProxy's timers.
pub(super) fn periods(written: &ParsedProfile) -> Vec<Problem> {
    timed(&written.document)
        .into_iter()
        .filter_map(|(path, period)| {
            if period.is_zero() {
                let problem = written.problem(path, format!("`{path}` cannot be zero"));
                Some(problem.hint("durations are `500ms`, `5s`, `2m`, `1h`"))
            } else if period.duration() > MAX_PERIOD {
                let problem = written.problem(path, format!("`{path}` cannot be {period}"));
                Some(problem.hint("HAProxy's longest timeout is 24 days"))
            } else {
                None
            }
        })
        .collect()
}

/// Shares must be above 0 %, because no measured value is below that.
pub(super) fn shares(written: &ParsedProfile) -> Vec<Problem> {
    let targets = &written.document.targets;
    let shares: [(&str, Percent); 4] = [
        ("targets.tolerance", targets.tolerance),
        ("targets.band", targets.band),
        ("targets.variance", targets.variance),
        ("targets.latency_variance", targets.latency_variance),
    ];
    shares
        .into_iter()
        .filter(|(_, share)| share.get() <= 0.0)
        .map(|(path, _)| written.problem(path, format!("`{path}` cannot be 0%")))
        .collect()
}

/// No share of errors is above 100 %, so that a limit above it would never be exceeded.
pub(super) fn errors(written: &ParsedProfile) -> Vec<Problem> {
    const PATH: &str = "rollout.max_errors";

    let limit = written.document.rollout.max_errors;
    if limit.get() < 100.0 {
        return Vec::new();
    }
    let problem = written.problem(PATH, format!("`{PATH}` cannot be {limit}"));
    vec![problem.hint("no share is above 100%; `rollout.canary: 0` replaces nodes without that check")]
}

/// A node's maximum must not be below its target.
pub(super) fn target(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    if nodes.target <= nodes.maxconn {
        return Vec::new();
    }
    let message = format!(
        "a node should hold {} connections, but its limit is {}",
        nodes.target, nodes.maxconn
    );
    let (first, second) = if written.origin("nodes.target") >= written.origin("nodes.maxconn") {
        ("nodes.target", "nodes.maxconn")
    } else {
        ("nodes.maxconn", "nodes.target")
    };
    vec![
        written
            .problem(first, message)
            .mark(written.mark(second, ""))
            .hint("set `nodes.maxconn` a third above `nodes.target`, so that three of four nodes can hold all connections"),
    ]
}

/// All nodes together must not hold more than can be counted.
pub(super) fn sum(written: &ParsedProfile) -> Vec<Problem> {
    let nodes = &written.document.nodes;
    let count = nodes.total();
    let path = if nodes.members.is_empty() {
        "nodes.count"
    } else {
        "nodes.members"
    };
    let sum = u64::from(nodes.maxconn) * count;
    if sum <= HAPROXY_INT {
        return Vec::new();
    }
    vec![
        written
            .problem(
                "nodes.maxconn",
                format!("{count} nodes of {} connections add up to {sum}", nodes.maxconn),
            )
            .mark(written.mark(path, ""))
            .hint(format!("HAProxy's largest number is {HAPROXY_INT}")),
    ]
}

// Private

fn numbers(document: &Document) -> Vec<(&'static str, u64)> {
    let Document {
        nodes,
        limits,
        health,
        routing,
        rollout,
        ..
    } = document;
    let per_ip = &limits.per_ip;
    let mut numbers = vec![
        ("nodes.target", u64::from(nodes.target)),
        ("nodes.maxconn", u64::from(nodes.maxconn)),
        ("nodes.weight", u64::from(nodes.weight)),
        ("routing.table.size", routing.table.size.get()),
        ("limits.maxconn", u64::from(limits.maxconn)),
        ("limits.head", limits.head.bytes()),
        ("limits.per_ip.connections", u64::from(per_ip.connections)),
        ("limits.per_ip.connection_rate", u64::from(per_ip.connection_rate)),
        ("limits.per_ip.message_rate", u64::from(per_ip.message_rate)),
        ("health.rise", u64::from(health.rise)),
        ("health.fall", u64::from(health.fall)),
        ("rollout.canary", u64::from(rollout.canary)),
        ("rollout.batch", u64::from(rollout.batch)),
    ];
    numbers.extend(limits.body.map(|body| ("limits.body", body.bytes())));
    numbers.extend(health.eject.map(|errors| ("health.eject", u64::from(errors))));
    // Members are counted by their list.
    if nodes.runtime != Runtime::External && nodes.members.is_empty() {
        numbers.insert(0, ("nodes.count", u64::from(nodes.count)));
    }
    numbers
}

fn timed(document: &Document) -> Vec<(&'static str, Period)> {
    let Document {
        nodes,
        routing,
        health,
        timeouts,
        rollout,
        targets,
        ..
    } = document;
    let mut timed = vec![
        ("nodes.restart.backoff", nodes.restart.backoff.from),
        ("nodes.restart.backoff", nodes.restart.backoff.to),
        ("nodes.restart.forget_after", nodes.restart.forget_after),
        ("nodes.restart.hung_after", nodes.restart.hung_after),
        ("routing.table.expire", routing.table.expire),
        ("health.interval", health.interval),
        ("health.timeout", health.timeout),
        ("timeouts.connect", timeouts.connect),
        ("timeouts.client", timeouts.client),
        ("timeouts.server", timeouts.server),
        ("timeouts.queue", timeouts.queue),
        ("timeouts.check", timeouts.check),
        ("timeouts.http_request", timeouts.http_request),
        ("timeouts.keep_alive", timeouts.keep_alive),
        ("timeouts.node_keep_alive", timeouts.node_keep_alive),
        ("timeouts.tunnel", timeouts.tunnel),
        ("targets.p99", targets.p99),
        ("targets.failover", targets.failover),
        ("targets.failover_alert", targets.failover_alert),
        ("rollout.hold", rollout.hold),
    ];
    timed.extend(rollout.max_p99.map(|limit| ("rollout.max_p99", limit)));
    timed.extend(routing.max_age.map(|max_age| ("routing.max_age", max_age)));
    timed
}
