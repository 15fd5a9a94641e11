//! A range between two lengths of time.

use std::fmt;
use std::str::FromStr;

use super::{Period, UnitError, scalar_unit};

const EXPECTED: &str = "a range of durations such as `100ms..30s`, the shorter one first";

/// Two periods, the first not longer than the second: the first and the longest pause of a
/// back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodRange {
    /// The shorter end.
    pub from: Period,
    /// The longer end.
    pub to: Period,
}

scalar_unit!(
    PeriodRange,
    "a range of durations such as `100ms..30s`",
    "100ms..30s"
);

impl FromStr for PeriodRange {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<PeriodRange, UnitError> {
        let error = || UnitError::new(text, EXPECTED);
        let (from, to) = text.split_once("..").ok_or_else(error)?;
        let from = from.parse().map_err(|_| error())?;
        let to = to.parse().map_err(|_| error())?;
        if from > to {
            return Err(error());
        }
        Ok(PeriodRange { from, to })
    }
}

impl fmt::Display for PeriodRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_ends_and_prints_them() {
        let range: PeriodRange = "100ms..30s".parse().unwrap();
        assert_eq!(
            (range.from.to_string(), range.to.to_string()),
            ("100ms".into(), "30s".into())
        );
        assert_eq!(range.to_string(), "100ms..30s");
    }

    #[test]
    fn refuses_a_range_that_shrinks() {
        for text in ["30s..1s", "1s", "..", "1s..x"] {
            assert!(text.parse::<PeriodRange>().is_err(), "{text}");
        }
    }
}
