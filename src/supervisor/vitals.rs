//! What probes say of one node.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::news::News;
use super::pulse::Pulse;
use crate::observe::Samples;
use crate::probe::{Failure, Probe};

/// The pulse of each of a node's ports, and how fast it answers.
pub(super) struct Vitals {
    ports: Vec<(Probe, Pulse)>,
    pub(super) samples: Samples,
}

impl Vitals {
    /// Of a node that nobody has heard of yet.
    pub(super) fn new(probes: Vec<Probe>, now: Instant) -> Vitals {
        let ports = probes
            .into_iter()
            .map(|probe| (probe, Pulse::unheard(now)))
            .collect();
        Vitals {
            ports,
            samples: Samples::default(),
        }
    }

    /// What the node is asked.
    pub(super) fn probes(&self) -> Vec<Probe> {
        self.ports.iter().map(|(probe, _)| *probe).collect()
    }

    /// From now on it is asked by these `probes`; what is known of its ports stays known.
    pub(super) fn ask_as(&mut self, probes: Vec<Probe>, now: Instant) {
        let known = std::mem::take(&mut self.ports);
        let pulse = |probe: &Probe| {
            let same = known.iter().find(|(before, _)| before.target == probe.target);
            same.map_or_else(|| Pulse::beating(now), |(_, pulse)| *pulse)
        };
        self.ports = probes.into_iter().map(|probe| (probe, pulse(&probe))).collect();
    }

    /// Its process has just answered.
    pub(super) fn revive(&mut self, now: Instant) {
        for (_, pulse) in &mut self.ports {
            *pulse = Pulse::beating(now);
        }
    }

    /// Asks every port once; `node` is its index.
    pub(super) fn ask(&mut self, node: usize, news: &mpsc::Sender<News>) {
        for (probe, pulse) in &mut self.ports {
            pulse.asked();
            let (probe, news) = (*probe, news.clone());
            tokio::spawn(async move {
                let result = probe.ask().await;
                let _nobody_listens_after_the_end = news
                    .send(News::Probed {
                        node,
                        target: probe.target,
                        result,
                    })
                    .await;
            });
        }
    }

    /// A probe came back from `target`.
    pub(super) fn probed(&mut self, target: SocketAddr, result: Result<Duration, Failure>, now: Instant) {
        let Some(index) = self.ports.iter().position(|(probe, _)| probe.target == target) else {
            return;
        };
        let pulse = &mut self.ports[index].1;
        match result {
            Ok(took) => {
                pulse.answered(now);
                // The first port is the one that clients are measured by.
                if index == 0 {
                    self.samples.add(took);
                }
            }
            Err(failure) if failure.blames_node() => pulse.failed(),
            // We had no descriptor or no port to ask with, which says nothing of the node.
            Err(_) => pulse.not_asked(),
        }
    }

    /// Time went on.
    pub(super) fn judge(&mut self, now: Instant, late: bool) {
        for (_, pulse) in &mut self.ports {
            pulse.judge(now, late);
        }
    }

    /// Whether nothing is known of one of its ports yet.
    pub(super) fn is_unheard(&self) -> bool {
        self.ports.iter().any(|(_, pulse)| pulse.is_unheard())
    }

    /// When all of its ports had last answered.
    pub(super) fn last_answer(&self) -> Instant {
        self.ports
            .iter()
            .map(|(_, pulse)| pulse.last_answer())
            .min()
            .unwrap_or_else(Instant::now)
    }

    /// Since when one of its ports has been silent, if one is.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        self.ports
            .iter()
            .filter_map(|(_, pulse)| pulse.silent_since())
            .min()
    }
}
