//! What the core does while the first nodes of a rollout are judged: it reads the balancer's figures
//! again and again, and asks the gate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::current::CurrentRollout;
use super::figures::{Counts, Figures, read_figures};
use super::gate::{Gate, Limits, ProbeLatency, Verdict};
use super::steps::Step;
use crate::observe::Samples;
use crate::profile::NodeId;
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;

/// The nodes that are judged, and what is known of them.
#[derive(Debug)]
pub(in crate::supervisor) struct Judgement {
    nodes: BTreeSet<NodeId>,
    gate: Gate,
    /// How many probes of each node had ended at the beginning.
    probes: BTreeMap<NodeId, u64>,
    /// Whether the balancer is being asked for its figures.
    is_reading: bool,
}

impl Judgement {
    /// What the balancer has counted so far; empty while that is not known.
    pub(super) fn progress(&self) -> String {
        match self.gate.counts() {
            None => String::new(),
            Some(Counts { begun: 0, .. }) => ": no requests yet".to_owned(),
            Some(Counts { begun: 1, failed }) => format!(": 1 request, {failed} failed"),
            Some(Counts { begun, failed }) => format!(": {begun} requests, {failed} failed"),
        }
    }

    /// The nodes are judged. Returns what the verdict is not based on: clients of nodes that got none.
    pub(super) fn end(self) -> Option<String> {
        let note = self.note();
        if let Some(note) = &note {
            tracing::warn!("{note}");
        }
        if let Some(Counts { begun, failed }) = self.gate.counts() {
            tracing::info!(requests = begun, failed, "the new nodes are within the limits");
        }
        note
    }

    // Private

    fn note(&self) -> Option<String> {
        let unused: Vec<&str> = self.gate.unused().collect();
        let its = match unused.len() {
            0 => return None,
            1 => "its",
            _ => "their",
        };
        let names = unused.join(", ");
        Some(match self.gate.counts() {
            Some(_) => {
                format!("the balancer counted no requests to {names}: only {its} checks were judged")
            }
            None => {
                format!("the balancer's counts of {names} were not known: only {its} checks were judged")
            }
        })
    }
}

impl Core {
    /// Begins to judge these nodes.
    pub(in crate::supervisor) fn begin_judging(&mut self, nodes: &[NodeId]) {
        let probes = self.samples().map(|(node, samples)| (node, samples.count()));
        let probes = probes.collect();
        let names = nodes.iter().map(|node| self.spec.node_name(*node).to_owned());
        let names = names.collect();
        let Some(running) = self.rollouts.current_mut() else {
            return;
        };
        let profile = &running.target().cluster.rollout;
        let limits = Limits {
            max_errors: profile.max_errors,
            max_p99: profile.max_p99,
        };
        running.begin_judging(Judgement {
            nodes: nodes.iter().copied().collect(),
            gate: Gate::new(limits, names),
            probes,
            is_reading: false,
        });
        self.read_figures();
    }

    /// Asks the balancer for its figures, while nodes are judged.
    pub(in crate::supervisor) fn read_figures(&mut self) {
        let Some(running) = self.rollouts.current_mut() else {
            return;
        };
        let is_held = matches!(running.rollout().step(), Some(Step::Judge(_)));
        let Some(judgement) = running.judgement_mut().filter(|it| is_held && !it.is_reading) else {
            return;
        };
        let Some(access_log) = self.access_log.clone() else {
            return;
        };
        judgement.is_reading = true;
        let spec = Arc::clone(&self.spec);
        self.events
            .spawn(async move { CoreEvent::Figures(read_figures(&spec, &access_log).await) });
    }

    /// The balancer's figures.
    pub(in crate::supervisor) fn figures(&mut self, figures: Result<BTreeMap<String, Figures>, String>) {
        let running = self.rollouts.current_mut();
        let Some(judgement) = running.and_then(CurrentRollout::judgement_mut) else {
            return;
        };
        judgement.is_reading = false;
        match figures {
            Ok(figures) => judgement.gate.add(figures),
            Err(why) => tracing::warn!("the new nodes are judged without the balancer's figures: {why}"),
        }
    }

    /// What speaks against the nodes that are judged; `is_over` at the end of the hold.
    pub(in crate::supervisor) fn objection(&self, is_over: bool) -> Option<String> {
        let judgement = self.rollouts.current()?.judgement()?;
        let latency = |are_judged: bool| {
            let nodes = self
                .samples()
                .filter(|(node, _)| judgement.nodes.contains(node) == are_judged);
            let times = nodes.flat_map(|(node, samples)| {
                let since = judgement.probes.get(&node).copied().unwrap_or(0);
                samples.times_since(since).collect::<Vec<Duration>>()
            });
            ProbeLatency::of(times)
        };
        match judgement.gate.judge(latency(true), latency(false), is_over) {
            Verdict::Failed(why) => Some(why),
            Verdict::Waiting | Verdict::Passed => None,
        }
    }

    // Private

    /// The probes of each node.
    fn samples(&self) -> impl Iterator<Item = (NodeId, Samples)> {
        let now = std::time::Instant::now();
        let nodes = self.spec.cluster.ids();
        nodes.filter_map(move |node| Some((node, self.health.probes(node)?.samples(now))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The judgement of these nodes, where the balancer has counted this at each of them.
    fn judgement(nodes: &[(&str, Counts)], is_known: bool) -> Judgement {
        let names = nodes.iter().map(|(name, _)| (*name).to_owned());
        let limits = Limits {
            max_errors: "1%".parse().unwrap(),
            max_p99: None,
        };
        let mut gate = Gate::new(limits, names.collect());
        gate.add(BTreeMap::new());
        if is_known {
            let figures = nodes.iter().map(|(name, counts)| {
                let figures = Figures::of(0, "http", *counts);
                ((*name).to_owned(), figures)
            });
            gate.add(figures.collect());
        }
        Judgement {
            nodes: BTreeSet::new(),
            gate,
            probes: BTreeMap::new(),
            is_reading: false,
        }
    }

    #[test]
    fn a_node_without_clients_is_judged_by_its_checks_and_that_is_noted() {
        let idle = Counts::default();
        let some = Counts {
            begun: 120,
            failed: 1,
        };
        let both = judgement(&[("a", some), ("b", some)], true);
        assert_eq!(both.progress(), ": 240 requests, 2 failed");
        assert_eq!(both.end(), None);
        let one = judgement(&[("a", some), ("b", idle)], true);
        let note = "the balancer counted no requests to b: only its checks were judged";
        assert_eq!(one.end().as_deref(), Some(note));
        let neither = judgement(&[("a", idle), ("b", idle)], true);
        assert_eq!(neither.progress(), ": no requests yet");
        let note = "the balancer counted no requests to a, b: only their checks were judged";
        assert_eq!(neither.end().as_deref(), Some(note));
        let silent = judgement(&[("a", some)], false);
        assert_eq!(silent.progress(), "");
        let note = "the balancer's counts of a were not known: only its checks were judged";
        assert_eq!(silent.end().as_deref(), Some(note));
    }
}
