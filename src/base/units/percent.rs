//! A share of a whole.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, scalar_unit};

const EXPECTED: &str = "a percentage such as `2%`";

/// A share in percent; a bare number is percent too. Finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

scalar_unit!(Percent, "a percentage such as `2%`", "2%");

impl Percent {
    /// The number before the percent sign.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// This share of `whole`.
    #[must_use]
    pub fn of(self, whole: f64) -> f64 {
        whole * self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Percent, UnitError> {
        let number = text.trim().trim_end_matches('%').trim_end();
        match number.parse::<f64>() {
            Ok(share) if share.is_finite() && share >= 0.0 => Ok(Percent(share)),
            _ => Err(UnitError::new(text, EXPECTED)),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_percent_of_25_000_is_500() {
        let share: Percent = "2%".parse().unwrap();
        assert!((share.of(25_000.0) - 500.0).abs() < f64::EPSILON);
        assert_eq!("2.5".parse::<Percent>().unwrap().to_string(), "2.5%");
    }

    #[test]
    fn refuses_other_texts() {
        for text in ["", "%", "-1%", "NaN", "inf%", "two"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }
}
