//! One measured value in two tests.

/// How much a value differs between runs of the same test: latencies under load are the least
/// steady, counts are exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Noise {
    /// In percent of the first value.
    pub(super) percent: f64,
    /// In the value's own unit: a smaller difference is noise, whatever its percentage.
    pub(super) least: f64,
}

/// The meaning of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Beyond noise, to the good.
    Better,
    /// Beyond noise, to the bad.
    Worse,
    /// Within noise, or not known.
    Noise,
}

/// One line of a comparison.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What was measured.
    pub(super) what: String,
    /// The value in both tests; `None` where it was not measured.
    pub(super) values: [Option<f64>; 2],
    /// Whether more of it is better.
    pub(super) more_is_better: bool,
    /// The noise of the value.
    pub(super) noise: Noise,
    /// A value as text.
    pub(super) text: fn(f64) -> String,
}

impl Line {
    /// Whether one of the values is known.
    pub(super) fn is_known(&self) -> bool {
        self.values.iter().any(Option::is_some)
    }

    /// The value in the first test.
    pub(super) fn before(&self) -> String {
        self.formatted(self.values[0])
    }

    /// The value in the second test.
    pub(super) fn after(&self) -> String {
        self.formatted(self.values[1])
    }

    /// The change in percent of the first value, with its sign: `+3.2%`; empty where the first
    /// value is 0.
    pub(super) fn percent(&self) -> String {
        let [Some(before), Some(after)] = self.values else {
            return String::new();
        };
        let percent = (after - before) / before * 100.0;
        // Neither a division by zero, nor `+0.0%`.
        if percent.is_finite() && percent.abs() >= 0.05 {
            format!("{percent:+.1}%")
        } else {
            String::new()
        }
    }

    /// The meaning of the change.
    pub(super) fn change(&self) -> Change {
        let [Some(before), Some(after)] = self.values else {
            return Change::Noise;
        };
        let by = after - before;
        let noise = (before.abs() * self.noise.percent / 100.0).max(self.noise.least);
        if by == 0.0 || by.abs() <= noise {
            Change::Noise
        } else if (by > 0.0) == self.more_is_better {
            Change::Better
        } else {
            Change::Worse
        }
    }

    // Private

    fn formatted(&self, value: Option<f64>) -> String {
        value.map_or("-".to_owned(), self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(before: f64, after: f64, more_is_better: bool) -> Line {
        Line {
            what: String::new(),
            values: [Some(before), Some(after)],
            more_is_better,
            noise: Noise {
                percent: 10.0,
                least: 0.5,
            },
            text: |value| value.to_string(),
        }
    }

    #[test]
    fn a_change_counts_from_its_threshold_on() {
        assert_eq!(line(10.0, 11.0, false).change(), Change::Noise);
        assert_eq!(line(10.0, 11.1, false).change(), Change::Worse);
        assert_eq!(line(10.0, 8.9, false).change(), Change::Better);
        assert_eq!(line(10.0, 11.1, true).change(), Change::Better);
        // Twice as much, and still noise.
        assert_eq!(line(0.2, 0.4, false).change(), Change::Noise);
        assert_eq!(line(0.0, 1.0, false).change(), Change::Worse);
    }

    #[test]
    fn a_change_from_zero_has_no_percentage() {
        assert_eq!(line(0.0, 1.0, false).percent(), "");
        assert_eq!(line(10.0, 9.0, false).percent(), "-10.0%");
    }
}
