//! The chi-square distribution.
//!
//! Its survival function is the regularised upper incomplete gamma function, `Q(k/2, x/2)` for `k`
//! degrees of freedom (Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.4.19). Near
//! zero it is computed by a series (DLMF, <https://dlmf.nist.gov/8.11#E4>), beyond that by a
//! continued fraction (<https://dlmf.nist.gov/8.9#E2>, in the contracted form of Abramowitz and
//! Stegun 6.5.31, evaluated by Lentz's method): each where it converges fast. Results are exact to
//! about 12 digits.

/// The most terms of the series and steps of the continued fraction: about 10 times the square root
/// of the degrees of freedom are enough.
const MAX_STEPS: u32 = 100_000;
/// A factor this close to 1 does not change the result any more.
const PRECISION: f64 = 1e-15;
/// A replacement for 0 in a denominator of Lentz's method.
const TINY: f64 = 1e-300;

/// The probability that a chi-square variable with this many `degrees` of freedom is at least
/// `statistic`. It is 1 at and below 0, and with 0 degrees; 0 for an infinite statistic.
#[must_use]
pub fn survival(statistic: f64, degrees: u32) -> f64 {
    if statistic <= 0.0 || degrees == 0 {
        return 1.0;
    }
    if statistic.is_infinite() {
        return 0.0;
    }
    let (a, x) = (f64::from(degrees) / 2.0, statistic / 2.0);
    // x^a e^-x / Γ(a), which both methods need.
    let common = (a * x.ln() - x - ln_gamma_of_half(degrees)).exp();
    if x < a + 1.0 {
        1.0 - common * series(a, x)
    } else {
        common * fraction(a, x)
    }
    .clamp(0.0, 1.0)
}

// Private

/// `ln Γ(n/2)`, by the recurrence `Γ(a+1) = a Γ(a)` from `Γ(1/2) = √π` or `Γ(1) = 1`.
fn ln_gamma_of_half(n: u32) -> f64 {
    let (first, begin) = if n.is_multiple_of(2) {
        (2, 0.0)
    } else {
        (1, std::f64::consts::PI.ln() / 2.0)
    };
    (first..n)
        .step_by(2)
        .fold(begin, |sum, k| sum + (f64::from(k) / 2.0).ln())
}

/// `Σ x^n / (a (a+1) … (a+n))`.
fn series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for n in 1..MAX_STEPS {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < sum * PRECISION {
            break;
        }
    }
    sum
}

/// `1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - …)))`.
fn fraction(a: f64, x: f64) -> f64 {
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut denominator = x + 1.0 - a;
    // The ratios of successive numerators and denominators of the approximants: Lentz's C and D.
    let mut upper = 1.0 / TINY;
    let mut lower = 1.0 / not_zero(denominator);
    let mut value = lower;
    for step in (1..MAX_STEPS).map(f64::from) {
        let numerator = -step * (step - a);
        denominator += 2.0;
        lower = 1.0 / not_zero(numerator * lower + denominator);
        upper = not_zero(denominator + numerator / upper);
        let factor = upper * lower;
        value *= factor;
        if (factor - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(one: f64, other: f64, relative: f64) -> bool {
        (one - other).abs() <= relative * other.abs()
    }

    #[test]
    fn critical_values_of_published_tables() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4, three digits after the point.
        let table = [
            (1, 0.05, 3.841),
            (1, 0.001, 10.828),
            (2, 0.001, 13.816),
            (3, 0.10, 6.251),
            (3, 0.05, 7.815),
            (3, 0.01, 11.345),
            (3, 0.001, 16.266),
            (7, 0.001, 24.322),
            (10, 0.05, 18.307),
            (10, 0.001, 29.588),
            (30, 0.001, 59.703),
            (99, 0.001, 148.230),
            (100, 0.05, 124.342),
            (100, 0.001, 149.449),
        ];
        for (degrees, p, critical) in table {
            let found = survival(critical, degrees);
            assert!(near(found, p, 5e-4), "{degrees} {critical}: {found}, not {p}");
        }
    }

    #[test]
    fn values_with_many_known_digits() {
        // One degree: erfc(sqrt(x/2)). Three: that and sqrt(2x/π) exp(-x/2).
        let known = [
            (1.0, 1, 0.317_310_507_862_914_1),
            (4.0, 1, 0.045_500_263_896_358_42),
            (9.0, 1, 0.002_699_796_063_260_189),
            (1.0, 3, 0.801_251_956_901_291_3),
            (9.0, 3, 0.029_290_886_534_888_03),
            (16.266_236_196_238_13, 3, 0.001),
        ];
        for (statistic, degrees, p) in known {
            let found = survival(statistic, degrees);
            assert!(near(found, p, 1e-11), "{statistic} {degrees}: {found}, not {p}");
        }
    }

    #[test]
    fn the_ends_are_certain() {
        assert_eq!(
            (survival(0.0, 3), survival(-1.0, 3), survival(5.0, 0)),
            (1.0, 1.0, 1.0)
        );
        assert!(survival(f64::INFINITY, 3) <= 0.0);
        assert!(survival(1_200.0, 3) > 0.0 && survival(1_200.0, 3) < 1e-250);
        assert!(survival(1e9, 3) < f64::MIN_POSITIVE);
    }

    proptest! {
        /// With an even number of degrees it is a finite sum: Abramowitz and Stegun 26.4.5.
        #[test]
        fn even_degrees_are_a_sum(half in 1u32..200, statistic in 0.01f64..600.0) {
            let x = statistic / 2.0;
            let terms = (0..half).scan(1.0, |term, n| {
                let now = *term;
                *term *= x / f64::from(n + 1);
                Some(now)
            });
            let sum = (-x).exp() * terms.sum::<f64>();
            let found = survival(statistic, 2 * half);
            prop_assert!((found - sum).abs() < 1e-11, "{found}, not {sum}");
        }

        #[test]
        fn it_falls_from_one_to_nothing(degrees in 1u32..400, one in 0.0f64..900.0, more in 0.0f64..100.0) {
            let (before, after) = (survival(one, degrees), survival(one + more, degrees));
            prop_assert!((0.0..=1.0).contains(&before) && after <= before + 1e-12);
        }
    }
}
