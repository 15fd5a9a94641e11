//! A collection of times: a histogram with three significant digits and a fixed size.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::results::{Bucket, Quantiles};

/// The longest time that is recorded as it is: an hour, in microseconds.
const LONGEST: u64 = 3_600_000_000;
const DIGITS: u8 = 3;
/// Buckets of a chart per doubling of the time.
const PER_DOUBLING: i32 = 4;

/// Many times, in about 90 kB once there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Option<Histogram<u32>>);

impl Times {
    /// Adds a time in microseconds.
    pub(crate) fn add(&mut self, micros: u64) {
        let histogram = match &mut self.0 {
            Some(histogram) => histogram,
            // These bounds and digits are valid, so this always succeeds.
            none => match Histogram::new_with_bounds(1, LONGEST, DIGITS) {
                Ok(new) => none.insert(new),
                Err(_) => return,
            },
        };
        histogram.saturating_record(micros.max(1));
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Times) {
        match (&mut self.0, &other.0) {
            // The bounds and digits are the same, so this fits.
            (Some(all), Some(more)) => drop(all.add(more)),
            (none, Some(more)) => *none = Some(more.clone()),
            (_, None) => {}
        }
    }

    /// The 99th percentile.
    pub(crate) fn p99(&self) -> Option<Duration> {
        let histogram = self.0.as_ref()?;
        Some(Duration::from_micros(histogram.value_at_quantile(0.99)))
    }

    /// The summary.
    pub(crate) fn quantiles(&self) -> Quantiles {
        let Some(histogram) = &self.0 else {
            return Quantiles::default();
        };
        let at = |quantile| millis(histogram.value_at_quantile(quantile));
        Quantiles {
            count: histogram.len(),
            min_ms: millis(histogram.min()),
            mean_ms: rounded(histogram.mean() / 1_000.0),
            stddev_ms: rounded(histogram.stdev() / 1_000.0),
            p50_ms: at(0.50),
            p90_ms: at(0.90),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: millis(histogram.max()),
        }
    }

    /// A histogram for a chart: buckets grow by a fourth of a doubling; empty ones are left out.
    pub(crate) fn buckets(&self) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = Vec::new();
        let values = self.0.iter().flat_map(Histogram::iter_recorded);
        for value in values {
            let (from_ms, to_ms) = bucket_of(value.value_iterated_to());
            match buckets.last_mut() {
                Some(last) if last.to_ms >= to_ms => last.count += value.count_since_last_iteration(),
                _ => buckets.push(Bucket {
                    from_ms,
                    to_ms,
                    count: value.count_since_last_iteration(),
                }),
            }
        }
        buckets
    }
}

// Private

/// The bucket of a time in microseconds: its bounds in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "an hour of microseconds has 32 bits")]
fn bucket_of(micros: u64) -> (f64, f64) {
    let per_doubling = f64::from(PER_DOUBLING);
    let nth = ((micros.max(1) as f64).log2() * per_doubling - 1e-9).ceil();
    let bound = |nth: f64| rounded((nth / per_doubling).exp2() / 1_000.0);
    (bound(nth - 1.0), bound(nth))
}

#[expect(clippy::cast_precision_loss, reason = "an hour of microseconds has 32 bits")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

/// Rounds to a nanosecond, without noise of floating point.
fn rounded(ms: f64) -> f64 {
    (ms * 1_000_000.0).round() / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_it_comes_to() {
        let mut times = Times::default();
        (1..=1_000).for_each(|ms| times.add(ms * 1_000));
        let quantiles = times.quantiles();
        assert_eq!((quantiles.count, quantiles.min_ms), (1_000, 1.0));
        for (is, should) in [
            (quantiles.mean_ms, 500.5),
            (quantiles.stddev_ms, 288.7),
            (quantiles.p50_ms, 500.0),
            (quantiles.p90_ms, 900.0),
            (quantiles.p99_ms, 990.0),
            (quantiles.p999_ms, 999.0),
            (quantiles.max_ms, 1_000.0),
        ] {
            assert!((is - should).abs() / should < 0.002, "{is} is not {should}");
        }
        assert_eq!(Times::default().quantiles(), Quantiles::default());
    }

    proptest! {
        #[test]
        fn buckets_are_disjoint_and_hold_all(times in prop::collection::vec(0u64..10_000_000_000, 0..200)) {
            let (mut all, mut half) = (Times::default(), Times::default());
            times.iter().step_by(2).for_each(|time| all.add(*time));
            times.iter().skip(1).step_by(2).for_each(|time| half.add(*time));
            all.merge(&half);
            let buckets = all.buckets();
            prop_assert_eq!(buckets.iter().map(|it| it.count).sum::<u64>(), times.len() as u64);
            prop_assert!(buckets.iter().all(|it| it.from_ms < it.to_ms));
            prop_assert!(buckets.windows(2).all(|pair| pair[0].to_ms <= pair[1].from_ms + 1e-9));
            prop_assert_eq!(all.quantiles().count, times.len() as u64);
        }
    }

    #[test]
    fn its_size_does_not_grow() {
        let mut times = Times::default();
        times.add(1);
        let size = |times: &Times| times.0.as_ref().unwrap().distinct_values() * size_of::<u32>();
        let before = size(&times);
        (0..100_000).for_each(|nth| times.add(nth * 77_777));
        assert!(size(&times) == before && before < 120_000, "{before}");
    }
}
