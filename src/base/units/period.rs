//! A length of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{UnitError, scalar_unit};

const EXPECTED: &str = "a duration such as `500ms`, `5s`, `2m` or `1h`";

/// A length of time in whole milliseconds; a bare number is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Period(Duration);

scalar_unit!(Period, "a duration such as `500ms`, `5s`, `2m` or `1h`", "3s");

impl Period {
    /// The standard library's type.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Whether it is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<Duration> for Period {
    /// Rounds down to whole milliseconds.
    fn from(duration: Duration) -> Period {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Period(Duration::from_millis(millis))
    }
}

impl FromStr for Period {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Period, UnitError> {
        let error = || UnitError::new(text, EXPECTED);
        let trimmed = text.trim();
        let split = trimmed
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let millis_per_unit = match unit {
            "ms" => 1.0,
            "" | "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return Err(error()),
        };
        let number: f64 = number.trim().parse().map_err(|_| error())?;
        let millis = (number * millis_per_unit).round();
        // A year is longer than any sensible timeout, and keeps the cast exact.
        if !(0.0..=365.0 * 86_400_000.0).contains(&millis) {
            return Err(error());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded just above"
        )]
        Ok(Period(Duration::from_millis(millis as u64)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (number, unit) = match millis {
            0 => (0, "s"),
            _ if millis.is_multiple_of(3_600_000) => (millis / 3_600_000, "h"),
            _ if millis.is_multiple_of(60_000) => (millis / 60_000, "m"),
            _ if millis.is_multiple_of(1_000) => (millis / 1_000, "s"),
            _ => (millis, "ms"),
        };
        write!(f, "{number}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_common_forms() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("7", 7_000),
            ("1.5s", 1_500),
        ] {
            assert_eq!(
                text.parse::<Period>().unwrap().duration().as_millis(),
                millis,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_other_texts() {
        for text in ["", "s", "-1s", "5 parsecs", "1e99h", "NaN", "inf"] {
            let error = text.parse::<Period>().unwrap_err().to_string();
            assert!(error.contains("is not a duration such as"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn prints_what_it_reads(millis in 0u64..100_000_000) {
            let period = Period::from(Duration::from_millis(millis));
            prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        }
    }
}
