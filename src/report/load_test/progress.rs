//! One line about a running test.

use super::super::{numbers, style};
use crate::load_test::Progress;
use crate::load_test::results::Phase;

/// `ramp: 40210 of 100000 connected, 512 opening, 12195/s, no error` and other values that are
/// known by then.
#[must_use]
pub fn load_test_progress(progress: &Progress) -> String {
    let opening = (progress.opening > 0).then(|| format!("{} opening", progress.opening));
    let rate = (progress.phase == Phase::Ramp && progress.rate_per_second > 0.0)
        .then(|| format!("{:.0}/s", progress.rate_per_second));
    let errors = match progress.errors {
        0 => "no error".to_owned(),
        errors => style::red(&numbers::counted(errors, "error")),
    };
    let p99 = progress.p99_ms.map(|p99| format!("p99 {}", numbers::millis(p99)));
    let left = progress
        .hold_left
        .map(|left| format!("{} left", numbers::age(left.as_secs())));
    let connected = format!("{} of {} connected", progress.connected, progress.asked);
    let parts = [Some(connected), opening, rate, Some(errors), p99, left];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{}: {}", phase(progress.phase), parts.join(", "))
}

/// The phase of a test, as one word.
pub(super) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Ramp => "ramp",
        Phase::Hold => "hold",
        Phase::Sticky => "sticky",
        Phase::Close => "close",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::testing::plain;
    use super::*;

    #[test]
    fn only_known_values_are_shown() {
        let mut now = Progress {
            phase: Phase::Ramp,
            elapsed: Duration::from_secs(3),
            asked: 100_000,
            connected: 40_210,
            opening: 512,
            errors: 0,
            rate_per_second: 12_195.1,
            p99_ms: None,
            held: vec![("erlmcp1".into(), 40_210)],
            hold_left: None,
        };
        insta::assert_snapshot!(plain(&load_test_progress(&now)), @"ramp: 40210 of 100000 connected, 512 opening, 12195/s, no error");
        now.phase = Phase::Hold;
        now.connected = 99_999;
        now.opening = 0;
        now.errors = 1;
        now.p99_ms = Some(5.61);
        now.hold_left = Some(Duration::from_secs(57));
        insta::assert_snapshot!(plain(&load_test_progress(&now)), @"hold: 99999 of 100000 connected, 1 error, p99 5.6 ms, 57s left");
    }
}
