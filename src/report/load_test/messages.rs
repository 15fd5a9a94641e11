//! The outcome of the messages, and the delays of the generator.

use super::super::numbers::millis;
use crate::load_test::results::Results;

/// A message that is sent less than this late, in milliseconds, counts as punctual.
const PUNCTUAL_MS: f64 = 1.0;
/// The fraction of a latency that may be the generator's own.
const PART: f64 = 0.1;

/// `800 due, 770 answered, 30 lost with erlmcp2; sent p99 0.21 ms, at most 4.0 ms late`, of the
/// parts that apply; numbers as `number` formats them. Nothing when no message was due.
pub(super) fn messages(results: &Results, number: fn(u64) -> String) -> Option<String> {
    let messages = &results.messages;
    let failed = results.failover.as_ref().map(|failover| &failover.node);
    let node = failed.or(results.test.failover.as_ref());
    let node = node.map_or("a node", String::as_str);
    let some = |count: u64| (count > 0).then(|| number(count));
    let by_error =
        some(messages.answered_by_error).map(|count| format!(" ({count} of them by a JSON-RPC error)"));
    let parts = [
        Some(format!("{} due", some(messages.due)?)),
        Some(format!(
            "{} answered{}",
            number(messages.answered),
            by_error.unwrap_or_default()
        )),
        some(messages.unanswered).map(|count| format!("{count} not answered")),
        some(messages.lost).map(|count| format!("{count} lost with {node}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(format!("{}{}", parts.join(", "), punctuality(results)))
}

/// A remark that the generator itself was late, when its delay is a relevant part of the latencies.
pub(super) fn late(results: &Results) -> Option<String> {
    let (late, all) = (results.messages.sent_late.p99_ms, results.latency.all.p99_ms);
    (late > PUNCTUAL_MS && late > all * PART).then(|| {
        format!(
            "the generator itself was late (p99 {}): latencies are partly its own",
            millis(late)
        )
    })
}

// Private

fn punctuality(results: &Results) -> String {
    let late = &results.messages.sent_late;
    match late.count {
        0 => String::new(),
        _ => format!(
            "; sent p99 {}, at most {} late",
            millis(late.p99_ms),
            millis(late.max_ms)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::failed_over;
    use super::*;
    use crate::load_test::results::{Messages, Quantiles};

    #[test]
    fn only_parts_that_apply_are_shown() {
        let mut results = failed_over();
        results.messages = Messages {
            due: 20_001,
            answered: 19_762,
            ..Messages::default()
        };
        let text = |results: &Results| messages(results, |count| count.to_string());
        assert_eq!(text(&results).unwrap(), "20001 due, 19762 answered");
        results.messages.answered_by_error = 300;
        results.messages.lost = 239;
        results.messages.sent_late = Quantiles {
            count: 19_762,
            p99_ms: 0.21,
            max_ms: 4.0,
            ..Quantiles::default()
        };
        assert_eq!(
            text(&results).unwrap(),
            "20001 due, 19762 answered (300 of them by a JSON-RPC error), 239 lost with erlmcp3; \
             sent p99 0.21 ms, at most 4.0 ms late"
        );
        results.messages = Messages::default();
        assert_eq!(text(&results), None);
    }

    #[test]
    fn a_generator_is_late_by_its_part_of_the_latency() {
        let mut results = failed_over();
        let mut reported = |by, all| {
            results.messages.sent_late.p99_ms = by;
            results.latency.all.p99_ms = all;
            late(&results).is_some()
        };
        assert!(!reported(0.9, 1.0));
        assert!(!reported(1.1, 11.0));
        assert!(reported(1.2, 11.0));
    }
}
