//! What probes say of one node.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::news::News;
use super::pulse::Pulse;
use crate::observe::Samples;
use crate::probe::{Failure, Probe, Question};

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
                        question: probe.question,
                        result,
                    })
                    .await;
            });
        }
    }

    /// A probe came back.
    pub(super) fn probed(&mut self, question: Question, result: Result<Duration, Failure>, now: Instant) {
        let first = self.ports.first().map(|(probe, _)| probe.question);
        if let Ok(took) = result
            && Some(question) == first
        {
            self.samples.add(took);
        }
        for (_, pulse) in self
            .ports
            .iter_mut()
            .filter(|(probe, _)| probe.question == question)
        {
            match result {
                Ok(_) => pulse.answered(now),
                Err(_) => pulse.failed(),
            }
        }
    }

    /// Time went on.
    pub(super) fn judge(&mut self, now: Instant, late: bool) {
        for (_, pulse) in &mut self.ports {
            pulse.judge(now, late);
        }
    }

    /// Since when one of its ports has been silent, if one is.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        self.ports
            .iter()
            .filter_map(|(_, pulse)| pulse.silent_since())
            .min()
    }
}
