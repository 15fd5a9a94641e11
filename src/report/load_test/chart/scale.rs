//! Positions of values on a chart, and round values.

/// The range of a scale's largest value.
const SIZES: (f64, f64) = (1e-5, 1e21);
/// The smallest value of a logarithmic scale.
const LEAST: f64 = 1e-6;
/// Round values on a logarithmic scale: more of them are used the fewer decades it spans.
const MANTISSAS: [f64; 3] = [1.0, 2.0, 5.0];
/// The most ticks on a logarithmic scale.
const TICKS: usize = 10;
/// The approximate number of steps of a linear scale.
const STEPS: f64 = 5.0;

/// Values and their pixels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    domain: (f64, f64),
    range: (f64, f64),
    logarithmic: bool,
    ticks: Vec<f64>,
}

impl Scale {
    /// A linear scale from 0 to `most`; the last tick may be below `most`.
    pub(super) fn to(most: f64, range: (f64, f64)) -> Scale {
        let most = positive(most);
        let step = step(most);
        Scale::linear(most, step, (most / step + 1e-9).floor(), range)
    }

    /// A linear scale for counts, from 0 to a round number that is at least `most`.
    pub(super) fn counting(most: f64, range: (f64, f64)) -> Scale {
        let most = positive(most);
        let step = step(most).max(1.0);
        let steps = (most / step - 1e-9).ceil().max(1.0);
        Scale::linear(steps * step, step, steps, range)
    }

    /// A logarithmic scale, from a round number that is at most `least` to one that is at least
    /// `most`.
    pub(super) fn logarithmic(least: f64, most: f64, range: (f64, f64)) -> Scale {
        let most = positive(most);
        let least = positive(least).clamp(LEAST, most);
        let round: Vec<f64> = (exponent(least)..=exponent(most) + 1)
            .flat_map(|exponent| MANTISSAS.map(|mantissa| mantissa * 10_f64.powi(exponent)))
            .collect();
        let start = round
            .iter()
            .rposition(|tick| *tick <= least * 1.000_001)
            .unwrap_or(0);
        let end = round
            .iter()
            .position(|tick| *tick >= most * 0.999_999)
            .unwrap_or(round.len() - 1);
        // A scale must have a length, even for a single value.
        let end = end.max(start + 1).min(round.len() - 1);
        let ticks = thinned(&round[start..=end]);
        Scale {
            domain: (round[start], round[end]),
            range,
            logarithmic: true,
            ticks,
        }
    }

    /// The pixel of `value`; values outside are put on the edge.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (least, most) = self.domain;
        let value = if value.is_nan() {
            least
        } else {
            value.clamp(least, most)
        };
        let part = if self.logarithmic {
            (value / least).ln() / (most / least).ln()
        } else {
            (value - least) / (most - least)
        };
        let (start, end) = self.range;
        start + part * (end - start)
    }

    /// The largest value.
    pub(super) fn most(&self) -> f64 {
        self.domain.1
    }

    /// Round values.
    pub(super) fn ticks(&self) -> &[f64] {
        &self.ticks
    }

    // Private

    fn linear(most: f64, step: f64, steps: f64, range: (f64, f64)) -> Scale {
        let ticks = std::iter::successors(Some(0.0), |index| Some(index + 1.0));
        Scale {
            domain: (0.0, most),
            range,
            logarithmic: false,
            ticks: ticks
                .take_while(|index| *index <= steps)
                .map(|index| index * step)
                .collect(),
        }
    }
}

// Private

/// `value`, or 1 when it cannot be drawn.
fn positive(value: f64) -> f64 {
    if value > 0.0 {
        value.clamp(SIZES.0, SIZES.1)
    } else {
        1.0
    }
}

/// 1, 2 or 5 times a power of ten, about a fifth of `most`.
fn step(most: f64) -> f64 {
    let rough = most / STEPS;
    let power = 10_f64.powi(exponent(rough));
    let larger = [1.0, 2.0, 5.0].map(|mantissa| mantissa * power);
    larger
        .into_iter()
        .find(|step| *step >= rough * 0.999_999)
        .unwrap_or(power * 10.0)
}

fn exponent(value: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "an exponent of ten")]
    let exponent = (value.log10() + 1e-9).floor() as i32;
    exponent
}

/// All round values, the powers of ten, or every few of these: as many as have room.
fn thinned(round: &[f64]) -> Vec<f64> {
    if round.len() <= TICKS {
        return round.to_vec();
    }
    let tens: Vec<f64> = round
        .iter()
        .copied()
        .filter(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-6)
        .collect();
    tens.iter()
        .copied()
        .step_by(tens.len().div_ceil(TICKS).max(1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIXELS: (f64, f64) = (0.0, 100.0);

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            Scale::counting(99_000.0, PIXELS).ticks(),
            [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]
        );
        assert_eq!(Scale::counting(1.0, PIXELS).ticks(), [0.0, 1.0]);
        assert_eq!(Scale::to(71.0, PIXELS).ticks(), [0.0, 20.0, 40.0, 60.0]);
        assert_eq!(
            Scale::logarithmic(0.3, 9.0, PIXELS).ticks(),
            [0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
        );
        assert_eq!(
            Scale::logarithmic(0.01, 1_000.0, PIXELS).ticks(),
            [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0]
        );
    }

    #[test]
    fn a_value_has_its_place() {
        let linear = Scale::to(50.0, (100.0, 0.0));
        let pixels = [0.0, 25.0, 50.0, 99.0].map(|value| format!("{:.0}", linear.at(value)));
        assert_eq!(pixels, ["100", "50", "0", "0"]);
        let logarithmic = Scale::logarithmic(1.0, 100.0, PIXELS);
        assert!((logarithmic.at(10.0) - 50.0).abs() < 1e-9);
        assert!(logarithmic.at(0.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn every_number_has_a_place_within(a: f64, b: f64, value: f64) {
            for scale in [Scale::to(a, PIXELS), Scale::counting(a, PIXELS), Scale::logarithmic(a, b, PIXELS)] {
                prop_assert!((-0.001..=100.001).contains(&scale.at(value)), "{:?}", scale);
                prop_assert!(!scale.ticks().is_empty() && scale.ticks().len() <= 12, "{:?}", scale);
            }
        }
    }
}
