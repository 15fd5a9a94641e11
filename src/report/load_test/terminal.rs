//! `load-test`: the reference's "Expected Output" with the measured values, and everything else
//! that is known.

use super::super::status::{TOO_FEW, section};
use super::super::{numbers, style};
use super::sanitize::sanitize;
use super::share::share;
use super::wrap::wrapped;
use super::{counts, failover, latency, messages, verdicts};
use crate::load_test::results::{
    Asked, CheckName, Distribution, ErrorCount, Failover, Memory, NodeResult, Results, Verdict,
};
use crate::report::node_mark::within;

/// The report of a load test as text.
#[must_use]
pub fn load_test(results: &Results) -> String {
    let results = &sanitize(results);
    let failover = results.failover.as_ref().map(failover::failover);
    [
        heading(results),
        section("Cluster Nodes", &nodes(results)),
        totals(results),
        section("Notes", &notes(&results.notes)),
        section("Course", &course(results)),
        counts::counts(results),
        latency::latency(results),
        failover.unwrap_or_default(),
        section("Errors", &errors(&results.errors)),
        section("Memory", &memory(&results.memory)),
        // Last, because this stays in sight on a terminal.
        "\n".to_owned(),
        verdicts::lines(results),
        verdicts::outcome(results),
    ]
    .concat()
}

/// The target of the test.
pub(super) fn target(asked: &Asked) -> String {
    let Asked { target, protocol, .. } = asked;
    let revision = if asked.mcp.has_sessions() {
        String::new()
    } else {
        format!(", MCP {}", asked.mcp)
    };
    match asked.balancer {
        Some(kind) => format!("{} at {target}, {protocol}{revision}", kind.facts().title),
        None => format!("{target}, {protocol}{revision}"),
    }
}

// Private

fn heading(results: &Results) -> String {
    let asked = &results.test;
    let name = asked.cluster.as_deref().unwrap_or("MCP");
    let title = style::bold(&format!("=== {name} Load Balancer & Cluster Load Test ==="));
    let what = if asked.balancer.is_some() {
        "Load Balancer"
    } else {
        "Target"
    };
    format!("{title}\n\n{what}: {}\n", target(asked))
}

fn nodes(results: &Results) -> Vec<String> {
    let spread = &results.distribution;
    let tolerance = tolerance(spread);
    let judged = results
        .checks
        .iter()
        .any(|check| check.name == CheckName::Distribution && check.verdict != Verdict::Skipped);
    let shares: Vec<Option<u64>> = results.nodes.iter().map(|node| share(spread, node)).collect();
    let first = shares.iter().position(Option::is_some).filter(|_| judged);
    let line = |(index, (node, share)): (usize, (&NodeResult, &Option<u64>))| {
        let mark = match share.filter(|_| judged) {
            None => String::new(),
            Some(share) if within(share, spread.mean, tolerance) => format!(" {}", style::green("✓")),
            Some(_) => format!(" {}", style::red("✗")),
        };
        let target = (first == Some(index)).then(|| format!("target: {:.0} ± {tolerance:.0}", spread.mean));
        let all = share.filter(|share| *share != u64::from(node.connected));
        let all = all.map(|all| format!("{all} with those of others"));
        let end = (node.held != node.connected).then(|| format!("{} at the end", node.held));
        let aside: Vec<String> = [target, all, end].into_iter().flatten().collect();
        let aside = if aside.is_empty() {
            String::new()
        } else {
            format!(" ({})", aside.join(", "))
        };
        format!(
            "{}: {} ({} connections){mark}{aside}",
            node.name,
            state(node, share.is_some(), results.failover.as_ref()),
            node.connected
        )
    };
    results.nodes.iter().zip(&shares).enumerate().map(line).collect()
}

/// How many connections a node may be off the mean: by the profile, or by chance where that decides
/// and allows more.
fn tolerance(spread: &Distribution) -> f64 {
    let wanted = spread.mean * spread.tolerance_percent / 100.0;
    let chance = spread.chance.filter(|chance| chance.is_chance);
    chance.map_or(wanted, |chance| wanted.max(chance.tolerance))
}

/// The state of a node. A node that clients are on is up, and so is one that has come back. A node
/// that was not `in_rotation` got no clients; it had its connections before.
fn state(node: &NodeResult, in_rotation: bool, failover: Option<&Failover>) -> String {
    let failed = failover.filter(|failover| failover.node == node.name);
    match failed {
        None if !in_rotation => style::yellow("OUT OF ROTATION"),
        _ if node.held > 0 => style::green("UP"),
        None if node.connected > 0 => style::red("EMPTIED"),
        None => style::yellow("WITHOUT CLIENTS"),
        Some(Failover { back_ms: Some(_), .. }) => style::green("UP"),
        Some(failover) => style::red(&failover::done(failover.mode).to_uppercase()),
    }
}

fn totals(results: &Results) -> String {
    let (held, asked) = (results.held, results.test.connections);
    let share =
        numbers::share(held.into(), asked.into()).map_or(String::new(), |share| format!(" ({share}%)"));
    let range =
        latency::range(results).map_or(String::new(), |range| format!("Latency Range: {range} (p99)\n"));
    format!(
        "\nTotal Connections: {held} / {asked}{share}\n{range}Variance: {}\n",
        variance(results)
    )
}

fn variance(results: &Results) -> String {
    let spread = &results.distribution;
    let percent = format!("{:.1}%", spread.variance_percent);
    let target = spread.variance_target_percent;
    let by_chance = spread.variance_percent >= target;
    let target = format!("target: <{target}%");
    let check = results
        .checks
        .iter()
        .find(|check| check.name == CheckName::Distribution);
    match check.map(|check| (check.verdict, check.measured.as_str())) {
        Some((Verdict::Passed, _)) if by_chance => {
            format!("{} (as even as chance allows, {target})", style::green(&percent))
        }
        Some((Verdict::Passed, _)) => format!("{} ({target})", style::green(&percent)),
        Some((Verdict::Skipped, why)) => style::dim(&format!("not judged ({why})")),
        Some(_) => format!("{} ({target})", style::red(&format!("{percent} too uneven"))),
        None => style::dim(&format!("not judged ({TOO_FEW})")),
    }
}

fn course(results: &Results) -> Vec<String> {
    let ramp = &results.ramp;
    let made = format!(
        "ramp: {} connections in {:.1} s ({:.0} per second)",
        ramp.connected, ramp.seconds, ramp.rate
    );
    let handshake = match ramp.handshake.count {
        0 => String::new(),
        _ => format!(
            ", handshake p50 {}, p99 {}",
            numbers::millis(ramp.handshake.p50_ms),
            numbers::millis(ramp.handshake.p99_ms)
        ),
    };
    let hold = format!(
        "hold: {:.1} s of {} s",
        results.hold_seconds, results.test.seconds
    );
    let answered = messages::messages(results, |count| count.to_string());
    let answered = answered.map(|text| format!("messages: {text}"));
    [format!("{made}{handshake}"), hold]
        .into_iter()
        .chain(answered)
        .collect()
}

fn notes(notes: &[String]) -> Vec<String> {
    notes.iter().map(|note| wrapped(note)).collect()
}

fn errors(errors: &[ErrorCount]) -> Vec<String> {
    let line = |error: &ErrorCount| {
        let what = format!("{} {}", error.count, error.kind.name());
        format!("{}: {}", style::red(&what), error.example)
    };
    errors.iter().map(line).collect()
}

/// A memory of 0 means that it was not measured.
fn memory(memory: &Memory) -> Vec<String> {
    let per_connection = match memory.generator_bytes_per_connection {
        0 => String::new(),
        bytes => format!(", {bytes} B per held connection"),
    };
    let grown = " during the test".to_owned();
    let parts = [
        (memory.host_bytes, "host, kernel included: +", grown),
        (memory.generator_bytes, "generator process: ", per_connection),
        (memory.nodes_bytes, "node processes: ", String::new()),
        (memory.balancer_bytes, "balancer processes: ", String::new()),
    ];
    let parts = parts.into_iter().filter(|(bytes, _, _)| *bytes > 0);
    parts
        .map(|(bytes, owner, aside)| format!("{owner}{}{aside}", numbers::bytes(bytes)))
        .collect()
}
