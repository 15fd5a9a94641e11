//! Spread and percentiles of small sets of numbers, and whether chance explains how they differ.

mod chi_square;
mod draws;

pub use chi_square::survival as chi_square_survival;
pub use draws::{ChiSquare, Draws};

/// How evenly a load is distributed over its bearers.
///
/// ```
/// let spread = clusterctl::base::stats::Spread::of(&[25_234.0, 24_987.0, 25_156.0, 24_623.0]).unwrap();
/// assert_eq!(format!("{:.1}", spread.variance_percent), "2.4");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// `(max - min) / mean`, in percent: operators of clusters call this variance. 0 if the mean is
    /// 0.
    pub variance_percent: f64,
    /// Population standard deviation.
    pub stddev: f64,
    /// Jain's fairness index, `(Σx)² / (n · Σx²)`: 1 is perfectly fair, `1/n` means that all load
    /// is on one bearer. 1 if all are 0. (R. Jain, D. Chiu, W. Hawe: "A quantitative measure of
    /// fairness", DEC-TR-301, 1984.)
    pub jain: f64,
}

impl Spread {
    /// The spread of `values`; `None` if there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Spread> {
        if values.is_empty() {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "no cluster has 2^52 nodes")]
        let n = values.len() as f64;
        let sum: f64 = values.iter().sum();
        let squares: f64 = values.iter().map(|value| value * value).sum();
        let mean = sum / n;
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let variance_percent = if mean == 0.0 {
            0.0
        } else {
            (max - min) / mean * 100.0
        };
        let stddev = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        let jain = if squares == 0.0 {
            1.0
        } else {
            sum * sum / (n * squares)
        };
        Some(Spread {
            mean,
            min,
            max,
            variance_percent,
            stddev,
            jain,
        })
    }
}

/// The `quantile` (0 to 1) of `sorted` values by the nearest-rank method; `None` if there are none.
#[must_use]
pub fn percentile(sorted: &[f64], quantile: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank within the slice, clamped below"
    )]
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    Some(sorted[rank.saturating_sub(1).min(last)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_values_have_no_spread() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn idle_nodes_are_even() {
        let spread = Spread::of(&[0.0; 4]).unwrap();
        assert_eq!((spread.variance_percent, spread.jain), (0.0, 1.0));
    }

    #[test]
    fn everything_on_one_of_four_is_a_jain_of_a_quarter() {
        let spread = Spread::of(&[8.0, 0.0, 0.0, 0.0]).unwrap();
        assert!((spread.jain - 0.25).abs() < 1e-12);
        assert!((spread.variance_percent - 400.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 0.5), Some(50.0));
        assert_eq!(percentile(&sorted, 0.99), Some(99.0));
        assert_eq!(percentile(&sorted, 1.0), Some(100.0));
        assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
    }

    proptest! {
        #[test]
        fn jain_lies_between_one_nth_and_one(values in prop::collection::vec(0.0f64..1e6, 1..32)) {
            let spread = Spread::of(&values).unwrap();
            let n = f64::from(u32::try_from(values.len()).unwrap());
            prop_assert!(spread.jain <= 1.0 + 1e-9 && spread.jain >= 1.0 / n - 1e-9);
            prop_assert!(spread.min <= spread.mean + 1e-6 && spread.mean <= spread.max + 1e-6);
        }
    }
}
