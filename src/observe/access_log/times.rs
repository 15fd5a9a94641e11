//! How long nodes take to answer.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longer times count as this one.
const MAX_TIME: Duration = Duration::from_hours(1);
/// nginx's clock has milliseconds; more digits would be invented.
const DIGITS: u8 = 2;

/// Many times; about 20 kB once there is one.
#[derive(Clone, Debug, Default)]
pub struct Times(Option<Histogram<u64>>);

impl Times {
    /// Adds a time.
    pub(super) fn add(&mut self, took: Duration) {
        let histogram = match &mut self.0 {
            Some(histogram) => histogram,
            // These bounds and digits are valid, so this does not fail.
            none => match Histogram::new_with_bounds(1, millis(MAX_TIME), DIGITS) {
                Ok(new) => none.insert(new),
                Err(_) => return,
            },
        };
        histogram.saturating_record(millis(took));
    }

    /// The time in milliseconds that the fraction `quantile` of all times, from 0 to 1, did not
    /// exceed; `None` when there are none.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let histogram = self.0.as_ref()?;
        Some(histogram.value_at_quantile(quantile))
    }
}

// Private

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_exist_only_with_values() {
        let mut times = Times::default();
        assert_eq!(times.quantile(0.5), None);
        (1..=100).for_each(|millis| times.add(Duration::from_millis(millis)));
        times.add(Duration::from_hours(24));
        assert_eq!((times.quantile(0.5), times.quantile(0.9)), (Some(51), Some(91)));
        assert!(times.quantile(1.0).unwrap() >= millis(MAX_TIME));
    }

    #[test]
    fn times_below_a_millisecond_are_zero() {
        let mut times = Times::default();
        times.add(Duration::ZERO);
        assert_eq!(times.quantile(0.99), Some(0));
    }
}
