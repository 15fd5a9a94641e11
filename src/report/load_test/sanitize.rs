//! Sanitizes results from the network: they must not affect a terminal or break a page, and all
//! numbers must be finite.

use crate::load_test::results::{Count, ErrorCount, Failover, NodeCount, Quantiles, Results};

/// The most characters of a name, or of any other text from the network.
const LONGEST: usize = 200;
/// The most characters of a sentence, which may have several names in it.
const SENTENCE: usize = 1_000;
/// The largest time, in whatever unit, and the largest share: larger ones would fill the page with
/// digits.
const LARGEST: f64 = 1e12;

/// The results without control characters, endless texts, and invalid or impossible numbers.
pub(super) fn sanitize(results: &Results) -> Results {
    let mut results = results.clone();
    texts(&mut results);
    numbers(&mut results);
    results.failover.iter_mut().for_each(failover);
    results
}

// Private

fn texts(results: &mut Results) {
    text(&mut results.program);
    text(&mut results.host.kernel);
    let asked = [&mut results.test.cluster, &mut results.test.failover];
    asked.into_iter().flatten().for_each(text);
    let checks = results.checks.iter_mut().map(|check| &mut check.measured);
    let names = results.nodes.iter_mut().map(|node| &mut node.name);
    checks.chain(names).for_each(text);
    errors(&mut results.errors);
    nodes(&mut results.distribution.nodes);
    let sentences = results.counts.meaning.iter_mut().chain(&mut results.notes);
    sentences.for_each(|sentence| bounded(sentence, SENTENCE));
    let counts = &mut results.counts;
    let counted = [
        Some(&mut counts.generator),
        counts.balancer.as_mut(),
        counts.kernel.as_mut(),
    ];
    counted.into_iter().flatten().for_each(count);
    for moved in results.sticky.iter_mut().flat_map(|sticky| &mut sticky.moved) {
        text(&mut moved.was);
        moved.now.iter_mut().for_each(text);
    }
}

fn numbers(results: &mut Results) {
    for node in &mut results.nodes {
        quantiles(&mut node.latency);
    }
    quantiles(&mut results.latency.all);
    quantiles(&mut results.ramp.handshake);
    quantiles(&mut results.messages.sent_late);
    for bucket in &mut results.latency.histogram {
        number(&mut bucket.from_ms);
        number(&mut bucket.to_ms);
    }
    for moment in &mut results.timeline {
        number(&mut moment.at_seconds);
    }
    let others = [
        &mut results.test.seconds,
        &mut results.test.messages_per_second,
        &mut results.ramp.seconds,
        &mut results.ramp.rate,
        &mut results.hold_seconds,
        &mut results.latency.p99_target_ms,
        &mut results.latency.variance_percent,
        &mut results.distribution.mean,
        &mut results.distribution.variance_percent,
        &mut results.distribution.variance_target_percent,
        &mut results.distribution.tolerance_percent,
    ];
    others.into_iter().for_each(number);
    if let Some(chance) = &mut results.distribution.chance {
        number(&mut chance.tolerance);
    }
    results.test.rate.iter_mut().for_each(number);
}

fn failover(failover: &mut Failover) {
    text(&mut failover.node);
    nodes(&mut failover.rehomed_to);
    nodes(&mut failover.after);
    errors(&mut failover.errors);
    for point in &mut failover.curve {
        number(&mut point.ms);
    }
    let times = [
        &mut failover.detected_ms,
        &mut failover.cut_p50_ms,
        &mut failover.cut_p100_ms,
        &mut failover.rehomed_p50_ms,
        &mut failover.rehomed_p100_ms,
        &mut failover.back_ms,
    ];
    let others = [&mut failover.at_seconds, &mut failover.target_ms];
    times.into_iter().flatten().chain(others).for_each(number);
}

fn count(count: &mut Count) {
    nodes(&mut count.nodes);
}

fn errors(errors: &mut [ErrorCount]) {
    for error in errors {
        text(&mut error.example);
    }
}

fn nodes(nodes: &mut [NodeCount]) {
    for node in nodes {
        text(&mut node.name);
    }
}

fn quantiles(quantiles: &mut Quantiles) {
    let all = [
        &mut quantiles.min_ms,
        &mut quantiles.mean_ms,
        &mut quantiles.stddev_ms,
        &mut quantiles.p50_ms,
        &mut quantiles.p90_ms,
        &mut quantiles.p99_ms,
        &mut quantiles.p999_ms,
        &mut quantiles.max_ms,
    ];
    all.into_iter().for_each(number);
}

fn number(number: &mut f64) {
    *number = if number.is_nan() {
        0.0
    } else {
        number.clamp(0.0, LARGEST)
    };
}

fn text(text: &mut String) {
    bounded(text, LONGEST);
}

fn bounded(text: &mut String, longest: usize) {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().any(steers) {
        *text = text.replace(steers, "\u{fffd}");
    }
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::failed_over;
    use super::*;

    #[test]
    fn names_lose_control_characters_and_are_shortened() {
        let mut results = failed_over();
        results.nodes[0].name = "\x1b[31mred\n".into();
        results.nodes[1].name = "ü".repeat(201);
        let tamed = sanitize(&results);
        assert_eq!(tamed.nodes[0].name, "\u{fffd}[31mred\u{fffd}");
        assert_eq!(tamed.nodes[1].name, format!("{}…", "ü".repeat(200)));
        assert_eq!(sanitize(&failed_over()), failed_over());
    }
}
