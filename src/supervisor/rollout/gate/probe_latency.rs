//! How fast the nodes of a rollout answer health checks.

use std::time::Duration;

/// How fast nodes answer probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct ProbeLatency {
    /// The time within which 99 % of the probes were answered; `None` with fewer than two.
    pub(in crate::supervisor) p99: Option<Duration>,
    /// How many probes that is.
    pub(in crate::supervisor) probes: usize,
}

impl ProbeLatency {
    /// The latency of these probes. Of fewer than 100 the slowest one is left out: a single one is
    /// more than the hundredth part of them.
    pub(in crate::supervisor) fn of(times: impl IntoIterator<Item = Duration>) -> ProbeLatency {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        let slow = (times.len() / 100).max(1);
        let p99 = times.len().checked_sub(slow + 1);
        ProbeLatency {
            p99: p99.map(|place| times[place]),
            probes: times.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_slow_probe_is_not_the_p99() {
        let of =
            |millis: &[u64]| ProbeLatency::of(millis.iter().map(|millis| Duration::from_millis(*millis)));
        assert_eq!(of(&[]), ProbeLatency::default());
        assert_eq!(of(&[7]), ProbeLatency { p99: None, probes: 1 });
        assert_eq!(of(&[3, 900, 4]), latency(4, 3));
        assert_eq!(of(&[900, 800, 4]), latency(800, 3));
        let many: Vec<u64> = (1..=300).collect();
        assert_eq!(of(&many), latency(297, 300));
    }

    fn latency(millis: u64, probes: usize) -> ProbeLatency {
        ProbeLatency {
            p99: Some(Duration::from_millis(millis)),
            probes,
        }
    }
}
