//! The test over time, in as few points as a chart needs.

use super::results::{Moment, Phase};

/// The most points. When there are more, every second one is dropped, and the spacing doubles.
const MAX_POINTS: usize = 600;

/// The points of a test's timeline.
#[derive(Debug)]
pub(super) struct Timeline {
    moments: Vec<Moment>,
    /// Seconds between two points.
    spacing: f64,
}

impl Timeline {
    /// An empty timeline, whose points are at least `spacing` seconds apart.
    pub(super) const fn new(spacing: f64) -> Timeline {
        Timeline {
            moments: Vec::new(),
            spacing,
        }
    }

    /// Whether it is time for another point: it must not be too close to the last one of the same
    /// phase.
    pub(super) fn wants(&self, at_seconds: f64, phase: Phase) -> bool {
        self.moments
            .last()
            .is_none_or(|last| last.phase != phase || at_seconds >= last.at_seconds + self.spacing)
    }

    /// Adds a point.
    pub(super) fn add(&mut self, moment: Moment) {
        self.moments.push(moment);
        if self.moments.len() > MAX_POINTS {
            let mut nth = 0;
            self.moments.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.spacing *= 2.0;
        }
    }

    /// All points, with the nodes in the order of `order`: numbers of nodes.
    pub(super) fn ordered(mut self, order: &[usize]) -> Vec<Moment> {
        for moment in &mut self.moments {
            let held = std::mem::take(&mut moment.held);
            moment.held = order
                .iter()
                .map(|node| held.get(*node).copied().unwrap_or(0))
                .collect();
        }
        self.moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(timeline: &mut Timeline, at_seconds: f64, phase: Phase) {
        if timeline.wants(at_seconds, phase) {
            timeline.add(Moment {
                at_seconds,
                phase,
                held: vec![1, 2],
                opening: 0,
                errors: 0,
                p99_ms: None,
            });
        }
    }

    #[test]
    fn a_long_test_has_no_more_moments_than_a_short_one() {
        let mut timeline = Timeline::new(0.5);
        for tenth in 0..1_000_000 {
            add(&mut timeline, f64::from(tenth) / 10.0, Phase::Hold);
        }
        let moments = timeline.ordered(&[1, 0, 7]);
        assert!((200..=MAX_POINTS).contains(&moments.len()), "{}", moments.len());
        assert!(moments.last().unwrap().at_seconds > 99_000.0);
        assert_eq!(moments[0].held, [2, 1, 0]);
    }

    #[test]
    fn a_phase_begins_with_a_moment() {
        let mut timeline = Timeline::new(10.0);
        for (second, phase) in [(0.0, Phase::Ramp), (1.0, Phase::Ramp), (1.5, Phase::Hold)] {
            add(&mut timeline, second, phase);
        }
        assert_eq!(timeline.ordered(&[]).len(), 2);
    }
}
