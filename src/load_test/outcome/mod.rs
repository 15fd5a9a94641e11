//! Makes results of what the workers found.

mod distribution;
mod failover;
mod latency;

use std::time::{Duration, SystemTime};

use super::counting::Placement;
use super::names::NodeId;
use super::order::Order;
use super::results::{
    Asked, Count, Counts, HostFacts, Memory, Messages, Moved, NodeResult, Outcome, Quantiles, Ramp, Results,
    Sticky, VERSION,
};
use super::tally::{ReconnectTally, Tally};
use super::timeline::Timeline;
use super::times::Times;
use super::verdict::judge;
use crate::platform::{Host, host};

use distribution::distribution;
pub(super) use failover::Victims;
use failover::failover;
use latency::latency;

/// The findings of a test.
pub(super) struct Findings {
    /// The nodes' names, by number.
    pub(super) names: Vec<String>,
    /// How connections were distributed over the nodes when all were made.
    pub(super) placement: Placement,
    pub(super) hold: Duration,
    pub(super) counts: Counts,
    pub(super) memory: Memory,
    /// Clients that had to reconnect.
    pub(super) sampled: u32,
    pub(super) victims: Option<Victims>,
    pub(super) timeline: Timeline,
    pub(super) tally: Tally,
    pub(super) was_stopped: bool,
    /// Further remarks for the report.
    pub(super) notes: Vec<String>,
}

impl Findings {
    /// The results, judged.
    pub(super) fn results(self, order: &Order, began: SystemTime) -> Results {
        let nodes = self.node_order(order);
        let name = |node: NodeId| self.names.get(usize::from(node)).cloned().unwrap_or_default();
        let sticky = (self.sampled > 0).then(|| sticky(&self.tally.sampled, self.sampled, name));
        let failover = self
            .victims
            .as_ref()
            .map(|victims| failover(victims, &self.tally.failover, order, name));
        let mut results = Results {
            version: VERSION,
            program: format!("clusterctl {}", env!("CARGO_PKG_VERSION")),
            began_unix: began
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            host: host_facts(),
            test: asked(order),
            outcome: Outcome::Failed,
            checks: Vec::new(),
            ramp: ramp(&self.tally, &self.placement.own),
            held: u32::try_from(self.counts.generator.total).unwrap_or(u32::MAX),
            hold_seconds: self.hold.as_secs_f64(),
            nodes: nodes
                .iter()
                .map(|(place, name)| self.node(*place, name))
                .collect(),
            distribution: distribution(order, &self.placement),
            messages: Messages {
                sent_late: self.tally.sent_late.quantiles(),
                ..self.tally.messages
            },
            latency: latency(&self.tally, order),
            sticky,
            failover,
            errors: self.tally.errors.by_kind(),
            memory: self.memory,
            timeline: Vec::new(),
            counts: self.counts,
            notes: self.notes,
        };
        let places: Vec<usize> = nodes
            .iter()
            .map(|(place, _)| place.unwrap_or(usize::MAX))
            .collect();
        results.timeline = self.timeline.ordered(&places);
        (results.checks, results.outcome) =
            judge(&results, &order.targets, order.fail_on_latency, self.was_stopped);
        results
    }

    // Private

    /// The nodes in the cluster's order, including those that did not serve, followed by all others
    /// that did: their numbers, if they served, and names.
    fn node_order(&self, order: &Order) -> Vec<(Option<usize>, String)> {
        let place = |name: &str| self.names.iter().position(|known| known == name);
        let members: Vec<String> = order
            .cluster
            .iter()
            .flat_map(|cluster| cluster.nodes.iter().map(|node| node.name.clone()))
            .collect();
        let strangers = self.names.iter().filter(|name| !members.contains(name));
        let all = members.iter().chain(strangers);
        all.map(|name| (place(name), name.clone())).collect()
    }

    fn node(&self, place: Option<usize>, name: &str) -> NodeResult {
        let of = |count: &Count| {
            let node = count.nodes.iter().find(|node| node.name == name);
            node.map_or(0, |node| u32::try_from(node.connections).unwrap_or(u32::MAX))
        };
        NodeResult {
            name: name.to_owned(),
            connected: of(&self.placement.own),
            held: of(&self.counts.generator),
            latency: place
                .and_then(|place| self.tally.nodes.get(place))
                .map_or_else(Quantiles::default, Times::quantiles),
        }
    }
}

// Private

fn host_facts() -> HostFacts {
    let host = Host::read();
    HostFacts {
        cpus: host.cpus,
        memory_bytes: host.memory_total,
        nofile: host.nofile,
        kernel: host::kernel_release(),
    }
}

fn asked(order: &Order) -> Asked {
    Asked {
        target: order.target,
        cluster: order.cluster.as_ref().map(|cluster| cluster.name.clone()),
        balancer: order.cluster.as_ref().map(|cluster| cluster.balancer),
        protocol: order.protocol,
        mcp: order.revision,
        connections: order.connections,
        seconds: order.hold.as_secs_f64(),
        rate: order.rate,
        messages_per_second: order.messages_per_second,
        sources: order.sources.count(),
        workers: order.workers,
        failover: order
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.failover.as_ref().map(|(node, _)| node.clone())),
    }
}

fn ramp(tally: &Tally, connected: &Count) -> Ramp {
    let seconds = Duration::from_micros(tally.last_first_welcome).as_secs_f64();
    let connected = u32::try_from(connected.total).unwrap_or(u32::MAX);
    let handshake = tally.handshake.quantiles();
    #[expect(clippy::cast_precision_loss, reason = "no host has 2^52 clients")]
    let served = handshake.count as f64;
    Ramp {
        seconds,
        connected,
        rate: if seconds > 0.0 { served / seconds } else { 0.0 },
        handshake,
    }
}

fn sticky(found: &ReconnectTally, sampled: u32, name: impl Fn(NodeId) -> String) -> Sticky {
    let moved = found.examples.iter().map(|(address, was, now)| Moved {
        address: *address,
        was: name(*was),
        now: now.map(&name),
    });
    Sticky {
        // Some of the clients that had to reconnect had no connection to close.
        sampled: (found.same + found.moved).min(sampled),
        same: found.same,
        moved: moved.collect(),
    }
}
