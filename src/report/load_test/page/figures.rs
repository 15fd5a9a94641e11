//! The few numbers that a reader wants first.

use serde::Serialize;

use super::super::super::numbers;
use super::super::chart::count;
use super::super::share::share;
use crate::load_test::results::Results;

/// A number with its name.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    value: String,
    what: &'static str,
    aside: String,
}

/// The numbers that were measured.
pub(super) fn figures(results: &Results) -> Vec<Figure> {
    let figures = [
        Some(held(results)),
        Some(ramp(results)),
        variance(results),
        latency(results),
        failover(results),
        sticky(results),
        memory(results),
    ];
    figures.into_iter().flatten().collect()
}

// Private

fn figure(value: String, what: &'static str, aside: String) -> Figure {
    Figure { value, what, aside }
}

fn held(results: &Results) -> Figure {
    let aside = format!(
        "of {}, for {:.0}\u{a0}s",
        numbers::grouped(results.test.connections.into()),
        results.hold_seconds
    );
    figure(numbers::grouped(results.held.into()), "connections held", aside)
}

fn ramp(results: &Results) -> Figure {
    let ramp = &results.ramp;
    figure(
        format!("{:.1} s", ramp.seconds),
        "to connect",
        format!("{} per second", count(ramp.rate.round())),
    )
}

fn variance(results: &Results) -> Option<Figure> {
    let spread = &results.distribution;
    let judged = results
        .nodes
        .iter()
        .filter(|node| share(spread, node).is_some())
        .count();
    let aside = format!(
        "{} to {} on {} nodes",
        numbers::grouped(spread.min.into()),
        numbers::grouped(spread.max.into()),
        judged
    );
    (judged > 1).then(|| figure(format!("{:.1}%", spread.variance_percent), "variance", aside))
}

fn latency(results: &Results) -> Option<Figure> {
    let all = &results.latency.all;
    let aside = format!(
        "p50 {}, of {} messages",
        numbers::millis(all.p50_ms),
        numbers::grouped(all.count)
    );
    (all.count > 0).then(|| figure(numbers::millis(all.p99_ms), "p99 latency", aside))
}

fn failover(results: &Results) -> Option<Figure> {
    let failover = results.failover.as_ref()?;
    let clients = numbers::grouped(failover.clients.into());
    let Some(ms) = failover.rehomed_p100_ms else {
        let homeless = numbers::grouped(failover.homeless.into());
        return Some(figure(
            homeless,
            "clients lost",
            format!("of {clients}, in the failover"),
        ));
    };
    let took = format!("{:.1} s", ms / 1_000.0);
    Some(figure(
        took,
        "failover",
        format!("{clients} clients served elsewhere"),
    ))
}

fn sticky(results: &Results) -> Option<Figure> {
    let sticky = results.sticky.as_ref().filter(|sticky| sticky.sampled > 0)?;
    let share = f64::from(sticky.same) / f64::from(sticky.sampled) * 100.0;
    // Rounded down, so that 100 is all of them.
    let share = (share * 10.0).floor() / 10.0;
    let aside = format!("{} of {} came back", sticky.same, sticky.sampled);
    Some(figure(format!("{share}%"), "sticky", aside))
}

fn memory(results: &Results) -> Option<Figure> {
    let host = results.memory.host_bytes;
    (host > 0).then(|| {
        figure(
            format!("+{}", numbers::bytes(host)),
            "memory",
            "during the test, kernel included".to_owned(),
        )
    })
}
