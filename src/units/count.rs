//! A number of things.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, scalar_unit};

const EXPECTED: &str = "a count such as `1000`, `200k` or `1m`";

/// How many; `k` is a thousand and `m` a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u64);

scalar_unit!(Count, "a count such as `1000`, `200k` or `1m`", "200k");

impl Count {
    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Count {
    fn from(number: u64) -> Count {
        Count(number)
    }
}

impl FromStr for Count {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Count, UnitError> {
        let error = || UnitError::new(text, EXPECTED);
        let trimmed = text.trim();
        let (number, scale) = match trimmed.char_indices().last() {
            Some((end, 'k' | 'K')) => (&trimmed[..end], 1_000),
            Some((end, 'm' | 'M')) => (&trimmed[..end], 1_000_000),
            _ => (trimmed, 1),
        };
        let number: u64 = number.parse().map_err(|_| error())?;
        number.checked_mul(scale).map(Count).ok_or_else(error)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n != 0 && n % 1_000_000 == 0 => write!(f, "{}m", n / 1_000_000),
            n if n != 0 && n % 1_000 == 0 => write!(f, "{}k", n / 1_000),
            n => write!(f, "{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_suffixes_and_bare_numbers() {
        for (text, number) in [("0", 0), ("35000", 35_000), ("200k", 200_000), ("2M", 2_000_000)] {
            assert_eq!(text.parse::<Count>().unwrap().get(), number);
        }
        assert_eq!(Count::from(200_000).to_string(), "200k");
    }

    #[test]
    fn refuses_what_is_no_count() {
        for text in [
            "",
            "k",
            "-1",
            "1.5k",
            "99999999999999999999",
            "18446744073709551615k",
        ] {
            assert!(text.parse::<Count>().is_err(), "{text}");
        }
    }
}
