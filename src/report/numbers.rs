//! Numbers in readable form: `28 MB`, `2h 5m`, `1.25`.

pub use crate::base::units::grouped;

/// Bytes in powers of 1,000: `0 B`, `999 B`, `28.3 MB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.5 would be rounded to 1000.
    while value >= 999.5 {
        value /= 1_000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value >= 99.95 => format!("{value:.0} {}", UNITS[unit]),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// An age, in its two largest units: `7s`, `5m 3s`, `2h 5m`, `3d 4h`.
#[must_use]
pub fn age(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let parts = UNITS.iter().scan(seconds, |rest, (size, unit)| {
        let count = *rest / size;
        *rest %= size;
        Some((count, *unit))
    });
    let parts: Vec<_> = parts.skip_while(|(count, _)| *count == 0).take(2).collect();
    match parts.as_slice() {
        [] => "0s".to_owned(),
        [(count, unit)] | [(count, unit), (0, _)] => format!("{count}{unit}"),
        [(count, unit), (rest, small), ..] => format!("{count}{unit} {rest}{small}"),
    }
}

/// `part` of `whole` in whole percent; `None` when `whole` is 0. Rounded down, so that only the
/// whole is 100.
#[must_use]
pub fn share(part: u64, whole: u64) -> Option<u128> {
    (u128::from(part) * 100).checked_div(u128::from(whole))
}

/// Milliseconds: `0.25 ms`, `2.5 ms`, `120 ms`.
#[must_use]
pub fn millis(ms: f64) -> String {
    match ms {
        _ if ms < 1.0 => format!("{ms:.2} ms"),
        _ if ms < 100.0 => format!("{ms:.1} ms"),
        _ => format!("{ms:.0} ms"),
    }
}

/// A count with its noun: `1 restart`, `2 restarts`.
#[must_use]
pub fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// Processes in parentheses or a sentence: `pid 12`, `pids 12, 13`.
#[must_use]
pub fn pids(pids: &[u32]) -> String {
    let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
    let noun = if pids.len() == 1 { "pid" } else { "pids" };
    format!("{noun} {}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_have_three_digits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (28_345_678, "28.3 MB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text, "{number}");
        }
    }

    #[test]
    fn ages_have_two_units() {
        let cases = [
            (0, "0s"),
            (7, "7s"),
            (60, "1m"),
            (303, "5m 3s"),
            (3_600, "1h"),
            (7_503, "2h 5m"),
            (3_603, "1h"),
            (273_600, "3d 4h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(age(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn a_share_of_nothing_is_unknown() {
        assert_eq!(share(99_999, 100_000), Some(99));
        assert_eq!(share(1, 0), None);
    }

    #[test]
    fn latencies_keep_their_digits_where_they_matter() {
        assert_eq!([0.254, 2.54, 120.4].map(millis), ["0.25 ms", "2.5 ms", "120 ms"]);
    }

    #[test]
    fn digits_are_in_groups_of_three() {
        let texts = [0, 999, 1_000, 100_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "100,000", "1,234,567"]);
    }

    proptest! {
        #[test]
        fn every_number_has_a_text(number: u64, part: u64) {
            prop_assert!(!bytes(number).is_empty() && !age(number).is_empty());
            prop_assert_eq!(share(part, number).is_some_and(|share| share >= 100), number > 0 && part >= number);
        }
    }
}
