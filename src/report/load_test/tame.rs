//! What came from the network must not steer a terminal, nor break a page; nor must a number that is none.

use crate::loadtest::results::{Count, NodeCount, Quantiles, Results};

/// Characters that a name, or anything else that somebody else has said, may be long.
const LONGEST: usize = 200;
/// A time in whatever unit, or a share, may be: what is more would fill the page with digits.
const LARGEST: f64 = 1e12;

/// The same results without control characters, texts that never end, and numbers that are none or cannot be.
pub(super) fn tame(results: &Results) -> Results {
    let mut results = results.clone();
    let counts = &mut results.counts;
    let counted = [
        Some(&mut counts.generator),
        counts.balancer.as_mut(),
        counts.kernel.as_mut(),
    ];
    counted.into_iter().flatten().for_each(count);
    counts.meaning.iter_mut().for_each(text);
    results.nodes.iter_mut().for_each(|node| text(&mut node.name));
    results
        .errors
        .iter_mut()
        .for_each(|error| text(&mut error.example));
    results
        .checks
        .iter_mut()
        .for_each(|check| text(&mut check.measured));
    results.test.cluster.iter_mut().for_each(text);
    if let Some(sticky) = &mut results.sticky {
        for moved in &mut sticky.moved {
            text(&mut moved.was);
            moved.now.iter_mut().for_each(text);
        }
    }
    if let Some(failover) = &mut results.failover {
        text(&mut failover.node);
        nodes(&mut failover.rehomed_to);
        nodes(&mut failover.after);
        number(&mut failover.at_seconds);
        failover.curve.iter_mut().for_each(|point| number(&mut point.ms));
        let times = [
            &mut failover.detected_ms,
            &mut failover.cut_p50_ms,
            &mut failover.cut_p100_ms,
            &mut failover.rehomed_p50_ms,
            &mut failover.rehomed_p100_ms,
            &mut failover.back_ms,
        ];
        times.into_iter().flatten().for_each(number);
    }
    results
        .nodes
        .iter_mut()
        .for_each(|node| quantiles(&mut node.latency));
    quantiles(&mut results.latency.all);
    quantiles(&mut results.ramp.handshake);
    for bucket in &mut results.latency.histogram {
        number(&mut bucket.from_ms);
        number(&mut bucket.to_ms);
    }
    results
        .timeline
        .iter_mut()
        .for_each(|moment| number(&mut moment.at_seconds));
    number(&mut results.latency.p99_target_ms);
    number(&mut results.latency.variance_percent);
    number(&mut results.distribution.variance_percent);
    number(&mut results.distribution.mean);
    text(&mut results.program);
    text(&mut results.host.kernel);
    results
}

// Private

fn count(count: &mut Count) {
    nodes(&mut count.nodes);
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
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().any(steers) {
        *text = text.replace(steers, "\u{fffd}");
    }
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::failed_over;
    use super::*;

    #[test]
    fn a_node_cannot_paint_the_terminal_or_never_end() {
        let mut results = failed_over();
        results.nodes[0].name = "\x1b[31mred\n".into();
        results.nodes[1].name = "ü".repeat(201);
        let tamed = tame(&results);
        assert_eq!(tamed.nodes[0].name, "\u{fffd}[31mred\u{fffd}");
        assert_eq!(tamed.nodes[1].name, format!("{}…", "ü".repeat(200)));
        assert_eq!(tame(&failed_over()), failed_over());
    }
}
