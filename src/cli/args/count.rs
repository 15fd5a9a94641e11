//! Counts on the command line.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::base::units::{Count, UnitError, excerpt};

/// Largest number of connections; every sum of them fits its type.
pub(super) const MANY: u32 = 10_000_000;

/// Reads a count within `range`, such as `1000` or `100k`.
pub(super) fn count<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: Copy + Display + PartialOrd + TryFrom<u64> + Send + Sync,
{
    move |text| {
        let count: Count = text.parse().map_err(|error: UnitError| error.to_string())?;
        let within = T::try_from(count.get())
            .ok()
            .filter(|number| range.contains(number));
        within.ok_or_else(|| {
            format!(
                "`{}` is not within {} to {}",
                excerpt(text),
                range.start(),
                range.end()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_a_suffix_and_bounds() {
        let read = count(1..=MANY);
        assert_eq!(read("100k"), Ok(100_000));
        assert_eq!(read("7"), Ok(7));
        assert_eq!(read("0").unwrap_err(), "`0` is not within 1 to 10000000");
        assert_eq!(read("11m").unwrap_err(), "`11m` is not within 1 to 10000000");
        for wrong in ["1.5k", "-1", "many", "", "99999999999999999999"] {
            assert!(
                read(wrong).unwrap_err().contains("is not a count such as"),
                "{wrong}"
            );
        }
        assert_eq!(
            count(1..=u16::MAX)("70k").unwrap_err(),
            "`70k` is not within 1 to 65535"
        );
    }
}
