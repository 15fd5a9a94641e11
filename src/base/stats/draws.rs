//! Loads of different sizes that are each assigned to one bearer, independently of all others: how
//! uneven chance alone makes their distribution.

use super::chi_square;

/// Below this probability, chance does not explain the unevenness: one even distribution in a
/// thousand is still called uneven.
const LEAST_P: f64 = 0.001;
/// A normal variable differs from its mean by more than this many standard deviations with that
/// probability.
const DEVIATIONS: f64 = 3.2905;

/// Independent draws: the clients' addresses, for example, each with all of its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Draws {
    /// Their number.
    pub count: f64,
    /// The sum of the squares of their sizes.
    pub squares: f64,
}

/// Pearson's test of the distribution of draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquare {
    /// The statistic.
    pub statistic: f64,
    /// Degrees of freedom: the number of bearers minus one.
    pub degrees: u32,
    /// The probability that independent draws are at least as uneven.
    pub p: f64,
}

impl ChiSquare {
    /// Whether chance explains the distribution.
    #[must_use]
    pub fn is_chance(&self) -> bool {
        self.p > LEAST_P
    }
}

impl Draws {
    /// Draws of these sizes.
    #[must_use]
    pub fn of(sizes: impl IntoIterator<Item = u64>) -> Draws {
        #[expect(clippy::cast_precision_loss, reason = "no host has 2^52 connections")]
        let sizes = sizes.into_iter().map(|size| size as f64);
        sizes.fold(Draws::default(), |draws, size| Draws {
            count: draws.count + 1.0,
            squares: draws.squares + size * size,
        })
    }

    /// At most this many of the draws, with the same mean size, if the others do not depend on
    /// chance.
    #[must_use]
    pub fn at_most(self, count: f64) -> Draws {
        if count >= self.count {
            return self;
        }
        Draws {
            count,
            squares: self.squares * count / self.count,
        }
    }

    /// Tests the distribution of draws that were chosen by weight: for each bearer the load
    /// assigned to it, and its weight. `None` with fewer than two bearers, and without draws.
    ///
    /// With `π` the bearer's share by weight and `N` the total, the load of a bearer has mean `Nπ`,
    /// variance `π(1-π) Σ size²`, and covariance `-ππ' Σ size²` with another. So
    /// `Σ (n - Nπ)² / (π Σ size²)` is chi-square with one degree of freedom less than there are
    /// bearers, as in Pearson's test, where all sizes are 1 (K. Pearson, Philosophical Magazine 50,
    /// 1900).
    #[must_use]
    pub fn test(self, bearers: &[(f64, f64)]) -> Option<ChiSquare> {
        let (whole, weight) = bearers
            .iter()
            .fold((0.0, 0.0), |(whole, weights), (fell, weight)| {
                (whole + fell, weights + weight)
            });
        let with_weight = bearers.iter().filter(|(_, weight)| *weight > 0.0).count();
        let degrees = u32::try_from(with_weight.checked_sub(1)?).ok()?;
        if degrees == 0 || self.squares <= 0.0 {
            return None;
        }
        let off = bearers
            .iter()
            .filter(|(fell, weight)| *fell > 0.0 || *weight > 0.0);
        let off = off.map(|(fell, own)| {
            let share = own / weight;
            (fell - whole * share).powi(2) / share
        });
        let statistic = off.sum::<f64>() / self.squares;
        Some(ChiSquare {
            statistic,
            degrees,
            p: chi_square::survival(statistic, degrees),
        })
    }

    /// How far the load of a bearer with this share of the weight may differ from its mean by
    /// chance.
    #[must_use]
    pub fn tolerance(self, share: f64) -> f64 {
        DEVIATIONS * (self.squares * share * (1.0 - share)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn even(fell: &[f64]) -> Vec<(f64, f64)> {
        fell.iter().map(|fell| (*fell, 100.0)).collect()
    }

    fn single(count: u64) -> Draws {
        Draws::of((0..count).map(|_| 1))
    }

    #[test]
    fn chance_explains_the_draws_of_a_good_hash() {
        let seen: [(u64, [f64; 4]); 3] = [
            (400, [110.0, 98.0, 84.0, 108.0]),
            (1_000, [234.0, 266.0, 251.0, 249.0]),
            (4_000, [1_008.0, 1_033.0, 963.0, 996.0]),
        ];
        for (count, fell) in seen {
            let test = single(count).test(&even(&fell)).unwrap();
            assert!(test.is_chance() && test.degrees == 3, "{fell:?}: {test:?}");
        }
    }

    #[test]
    fn chance_does_not_explain_a_skewed_hash() {
        let skewed: [(u64, [f64; 4]); 4] = [
            (400, [160.0, 80.0, 80.0, 80.0]),
            (400, [134.0, 133.0, 133.0, 0.0]),
            (1_000, [310.0, 230.0, 230.0, 230.0]),
            (4_000, [1_120.0, 960.0, 960.0, 960.0]),
        ];
        for (count, fell) in skewed {
            let test = single(count).test(&even(&fell)).unwrap();
            assert!(!test.is_chance(), "{fell:?}: {test:?}");
        }
    }

    #[test]
    fn ten_connections_from_each_address_are_ten_times_as_uneven() {
        let fell = [1_100.0, 980.0, 840.0, 1_080.0];
        assert!(!single(4_000).test(&even(&fell)).unwrap().is_chance());
        let tens = Draws::of((0..400).map(|_| 10)).test(&even(&fell)).unwrap();
        let ones = single(400).test(&even(&fell.map(|fell| fell / 10.0))).unwrap();
        assert!(tens.is_chance() && (tens.statistic - ones.statistic).abs() < 1e-9);
    }

    #[test]
    fn shares_are_by_weight() {
        let by_weight = [(400.0, 200.0), (200.0, 100.0), (200.0, 100.0)];
        let test = single(800).test(&by_weight).unwrap();
        assert!((test.statistic, test.p) == (0.0, 1.0), "{test:?}");
        assert!(
            !single(800)
                .test(&by_weight.map(|(fell, _)| (fell, 100.0)))
                .unwrap()
                .is_chance()
        );
        // A bearer without weight must not get any load.
        let nothing = single(800)
            .test(&[(400.0, 1.0), (400.0, 1.0), (0.0, 0.0)])
            .unwrap();
        assert_eq!((nothing.degrees, nothing.p), (1, 1.0));
        let something = single(801)
            .test(&[(400.0, 1.0), (400.0, 1.0), (1.0, 0.0)])
            .unwrap();
        assert!(something.p <= 0.0);
    }

    #[test]
    fn one_bearer_and_no_draws_are_not_tested() {
        assert_eq!(single(5).test(&[(5.0, 1.0)]), None);
        assert_eq!(single(5).test(&[(5.0, 1.0), (0.0, 0.0)]), None);
        assert_eq!(single(0).test(&even(&[0.0, 0.0])), None);
        assert_eq!(single(5).test(&[]), None);
    }

    #[test]
    fn draws_beyond_those_by_chance_do_not_count() {
        let some = single(400).at_most(26.0);
        assert_eq!((some.count, some.squares), (26.0, 26.0));
        assert_eq!(single(20).at_most(26.0), single(20));
        assert!(some.test(&even(&[98.0, 99.0, 103.0, 100.0])).unwrap().is_chance());
        assert!(!some.test(&even(&[92.0, 99.0, 110.0, 99.0])).unwrap().is_chance());
    }

    /// Equal draws on four bearers, from a fixed seed: the upper bits of a linear congruential
    /// generator (Knuth, MMIX).
    fn fallen(seed: u64, sizes: &[u32]) -> Vec<(f64, f64)> {
        let mut fell = [0.0; 4];
        let mut state = seed;
        for size in sizes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            fell[usize::try_from(state >> 62).unwrap()] += f64::from(*size);
        }
        even(&fell)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// Of even draws, 1 in 100 is rejected at p = 0.01, for any sizes.
        #[test]
        fn even_draws_are_seldom_rejected(seed: u64, sizes in prop::collection::vec(1u32..4, 40..200)) {
            let draws = Draws::of(sizes.iter().map(|size| u64::from(*size)));
            let rejected = (0..1_000u64).filter(|turn| {
                let fell = fallen(seed.wrapping_add(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15)), &sizes);
                draws.test(&fell).unwrap().p < 0.01
            });
            // 10 are expected; 35 would be eight standard deviations more.
            prop_assert!(rejected.count() < 35);
        }
    }
}
