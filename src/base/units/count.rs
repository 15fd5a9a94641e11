//! A number of things.

use std::fmt;
use std::str::FromStr;

use serde::Deserializer;

use super::{Scalar, UnitError, scalar_unit};

const EXPECTED: &str = "a count such as `1000`, `200k` or `1m`";

/// A number of things; `k` is a thousand and `m` a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u64);

scalar_unit!(Count, "a count such as `1000`, `200k` or `1m`", {
    "type": ["integer", "string"],
    "minimum": 0,
    "pattern": "^ *[0-9]+[kKmM]? *$",
    "description": EXPECTED,
    "examples": [1000, "200k", "1m"],
});

impl Count {
    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Parses a whole number of any type, written as a [`Count`]: for fields that store only the
/// number.
///
/// # Errors
/// If it is not a count, or larger than the type allows.
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Scalar {
        expecting: EXPECTED,
        parse: |text| {
            let Count(number) = text.parse()?;
            T::try_from(number).map_err(|_| UnitError::new(text, largest::<T>()))
        },
    })
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

// Private

/// A description of the largest count for `T`.
fn largest<T>() -> String {
    let bits = u32::try_from(size_of::<T>() * 8).unwrap_or(u64::BITS);
    let largest = u64::MAX.checked_shr(u64::BITS - bits).unwrap_or(0);
    format!("a count of at most {largest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: TryFrom<u64>>(yaml: &str) -> Result<T, String> {
        whole(serde_yaml::Deserializer::from_str(yaml)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_field_of_any_type_takes_a_count() {
        assert_eq!(read::<u32>("100k"), Ok(100_000));
        assert_eq!(read::<u16>("\"7\""), Ok(7));
        assert_eq!(read::<u64>("4m"), Ok(4_000_000));
        let too_large = read::<u16>("70k").unwrap_err();
        assert!(
            too_large.contains("`70k` is not a count of at most 65535"),
            "{too_large}"
        );
        let too_large = read::<u32>("5000m").unwrap_err();
        assert!(too_large.contains("of at most 4294967295"), "{too_large}");
        for wrong in [
            "-1",
            "1.5k",
            "1.5",
            "many",
            "[1]",
            "null",
            "99999999999999999999999",
            "1e3k",
        ] {
            assert!(read::<u32>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_suffixes_and_bare_numbers() {
        for (text, number) in [("0", 0), ("35000", 35_000), ("200k", 200_000), ("2M", 2_000_000)] {
            assert_eq!(text.parse::<Count>().unwrap().get(), number);
        }
        assert_eq!(Count::from(200_000).to_string(), "200k");
    }

    #[test]
    fn refuses_other_texts() {
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
