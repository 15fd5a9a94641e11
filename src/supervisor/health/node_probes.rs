//! The probe results of one node.

use std::net::SocketAddr;
use std::time::Instant;

use super::liveness::Liveness;
use crate::observe::{Sample, Samples};
use crate::probe::{Answer, Failure, Probe};
use crate::profile::HttpCheck;

/// The liveness of each of a node's ports, and how fast it answers.
pub(in crate::supervisor) struct NodeProbes {
    ports: Vec<Port>,
    samples: Samples,
    /// The check over HTTP that was answered.
    http_check: Option<HttpCheck>,
}

/// One of a node's ports.
struct Port {
    probe: Probe,
    liveness: Liveness,
    /// When each unanswered probe was sent.
    waiting: Vec<Instant>,
    /// How the last probe failed, if it did.
    failure: Option<Failure>,
}

impl NodeProbes {
    /// Creates the state of a node that was not probed yet.
    pub(in crate::supervisor) fn new(probes: Vec<Probe>, now: Instant) -> NodeProbes {
        let ports = probes
            .into_iter()
            .map(|probe| Port::new(probe, Liveness::unknown(now)));
        NodeProbes {
            ports: ports.collect(),
            samples: Samples::default(),
            http_check: None,
        }
    }

    /// The check over HTTP that the node answered last.
    pub(in crate::supervisor) fn http_check(&self) -> Option<HttpCheck> {
        self.http_check
    }

    /// The probes of the node.
    pub(in crate::supervisor) fn probes(&self) -> Vec<Probe> {
        self.ports.iter().map(|port| port.probe.clone()).collect()
    }

    /// Replaces the node's `probes`; what is known of its ports is kept. A port that was not probed
    /// before gets the state of a port that does not answer, if there is one, and counts as
    /// answering otherwise.
    pub(in crate::supervisor) fn set_probes(&mut self, probes: Vec<Probe>, now: Instant) {
        let known = std::mem::take(&mut self.ports);
        let ill = known
            .iter()
            .map(|port| port.liveness)
            .find(|liveness| !liveness.is_answering());
        let others = ill.unwrap_or_else(|| Liveness::answering(now));
        let liveness = |probe: &Probe| {
            let same = known.iter().find(|before| before.probe.target == probe.target);
            same.map_or(others, |port| port.liveness)
        };
        let port = |probe| {
            let liveness = liveness(&probe);
            Port::new(probe, liveness)
        };
        self.ports = probes.into_iter().map(port).collect();
    }

    /// The node's process has just answered, over HTTP to `http_check`.
    pub(in crate::supervisor) fn set_answering(&mut self, http_check: Option<HttpCheck>, now: Instant) {
        for port in &mut self.ports {
            *port = Port::new(port.probe.clone(), Liveness::answering(now));
        }
        self.http_check = http_check;
    }

    /// Returns the probes to send now, one for each port; each is waited for from `asked` on.
    pub(in crate::supervisor) fn ask(&mut self, asked: Instant) -> Vec<Probe> {
        for port in &mut self.ports {
            port.liveness.asked();
            port.waiting.push(asked);
        }
        self.probes()
    }

    /// A probe that was sent to `target` at `asked` returned; `is_known_down` when the node's
    /// failure is known already.
    pub(in crate::supervisor) fn probed(
        &mut self,
        target: SocketAddr,
        asked: Instant,
        result: Result<Answer, Failure>,
        is_known_down: bool,
        now: Instant,
    ) {
        let mut ports = self.ports.iter_mut().enumerate();
        let Some((index, port)) = ports.find(|(_, port)| port.probe.target == target) else {
            return;
        };
        // Latency is measured at the first port. A probe that is not waited for was sent to an
        // earlier process, or while the prober itself ran late.
        if port.is_awaited(asked) && index == 0 {
            let took = match &result {
                Ok(answer) => Some(answer.took),
                Err(failure) => failure.was_asked().then(|| now.saturating_duration_since(asked)),
            };
            if let Some(took) = took {
                self.samples.add(Sample {
                    took,
                    is_answered: result.is_ok(),
                    is_explained: is_known_down,
                });
            }
        }
        match &result {
            Ok(answer) => {
                port.liveness.answered(now);
                self.http_check = answer.question.http_check().or(self.http_check);
            }
            Err(failure) if failure.blames_node() => port.liveness.failed(),
            // This process had no descriptor or port left for the probe, which does not concern the
            // node.
            Err(_) => port.liveness.not_asked(),
        }
        port.failure = result.err();
    }

    /// The latencies of the node's latest probes, and the waiting times of unanswered ones.
    pub(in crate::supervisor) fn samples(&self, now: Instant) -> Samples {
        let waiting = self.ports.first().map_or(&[][..], |port| &port.waiting);
        let ages = waiting.iter().map(|asked| now.saturating_duration_since(*asked));
        self.samples.with_waiting(ages.collect())
    }

    /// Time has passed.
    pub(in crate::supervisor) fn judge(&mut self, now: Instant, late: bool) {
        for port in &mut self.ports {
            port.liveness.judge(now, late);
            if late {
                port.waiting.clear();
            }
        }
    }

    /// Whether nothing is known of one of its ports yet.
    pub(in crate::supervisor) fn is_unknown(&self) -> bool {
        self.ports.iter().any(|port| port.liveness.is_unknown())
    }

    /// Whether one of its ports has neither answered nor failed yet.
    pub(in crate::supervisor) fn has_no_result(&self) -> bool {
        self.ports
            .iter()
            .any(|port| port.liveness.is_unknown() && port.failure.is_none())
    }

    /// Why the node is not healthy, as far as that is known.
    pub(in crate::supervisor) fn probe_failure(&self) -> Option<&Failure> {
        let mut ill = self.ports.iter().filter(|port| !port.liveness.is_answering());
        ill.find_map(|port| port.failure.as_ref())
    }

    /// When all of its ports had last answered.
    pub(in crate::supervisor) fn last_answer(&self) -> Instant {
        self.ports
            .iter()
            .map(|port| port.liveness.last_answer())
            .min()
            .unwrap_or_else(Instant::now)
    }

    /// Since when one of its ports has been silent, if one is.
    pub(in crate::supervisor) fn silent_since(&self) -> Option<Instant> {
        self.ports
            .iter()
            .filter_map(|port| port.liveness.silent_since())
            .min()
    }
}

impl Port {
    fn new(probe: Probe, liveness: Liveness) -> Port {
        Port {
            probe,
            liveness,
            waiting: Vec::new(),
            failure: None,
        }
    }

    /// Whether the probe that was sent at `asked` was waited for; it no longer is.
    fn is_awaited(&mut self, asked: Instant) -> bool {
        let place = self.waiting.iter().position(|waiting| *waiting == asked);
        place.map(|place| self.waiting.swap_remove(place)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::Question;
    use crate::supervisor::health::liveness::{ANSWER_TIMEOUT, INTERVAL};

    fn probe(port: u16) -> Probe {
        Probe {
            target: SocketAddr::from(([192, 0, 2, 1], port)),
            question: Question::Tcp,
            source: None,
            timeout: ANSWER_TIMEOUT,
        }
    }

    fn answer() -> Answer {
        Answer {
            took: Duration::ZERO,
            question: Question::Tcp,
            status: None,
        }
    }

    fn refused(port: u16) -> Failure {
        let target = probe(port).target;
        Failure::Connect {
            target,
            why: "refused".to_owned(),
        }
    }

    /// A node with the ports 1 and 2; the second has not answered for four seconds.
    fn half_silent(began: Instant) -> NodeProbes {
        let mut probes = NodeProbes::new(vec![probe(1), probe(2)], began);
        for second in 1..=4 {
            let now = began + INTERVAL * second;
            probes.ports.iter_mut().for_each(|port| port.liveness.asked());
            probes.probed(probe(1).target, now, Ok(answer()), false, now);
            probes.probed(probe(2).target, now, Err(refused(2)), false, now);
            probes.judge(now, false);
        }
        probes
    }

    #[test]
    fn a_first_result_is_recorded_and_a_failure_has_a_reason() {
        let now = Instant::now();
        let mut probes = NodeProbes::new(vec![probe(1)], now);
        assert!(probes.has_no_result() && probes.probe_failure().is_none());
        probes.probed(probe(1).target, now, Err(refused(1)), false, now);
        assert!(!probes.has_no_result() && probes.is_unknown());
        assert_eq!(probes.probe_failure(), Some(&refused(1)));
        probes.probed(probe(1).target, now, Ok(answer()), false, now);
        assert!(!probes.has_no_result() && !probes.is_unknown() && probes.probe_failure().is_none());
        assert_eq!(half_silent(now).probe_failure(), Some(&refused(2)));
    }

    #[test]
    fn a_newly_probed_port_inherits_the_health_of_the_others() {
        let now = Instant::now();
        let mut well = NodeProbes::new(vec![probe(1)], now);
        well.probed(probe(1).target, now, Ok(answer()), false, now);
        well.set_probes(vec![probe(1), probe(3)], now);
        assert!(!well.is_unknown() && well.silent_since().is_none());
        let mut ill = half_silent(now);
        ill.set_probes(vec![probe(3)], now);
        assert!(ill.silent_since().is_some());
        let mut strange = NodeProbes::new(vec![probe(1)], now);
        strange.set_probes(vec![probe(3)], now);
        assert!(strange.is_unknown());
    }
}
