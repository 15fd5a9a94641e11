//! From what was found to results.

use std::time::{Duration, SystemTime};

use super::failing::Failing;
use super::names::NodeId;
use super::order::Order;
use super::results::{
    Asked, Count, Counts, Distribution, Failover, FailoverMode, FailoverPoint, HostFacts, Latency, Memory,
    Moved, NodeCount, NodeResult, Outcome, Quantiles, Ramp, Results, Sticky, VERSION, millis,
};
use super::tally::{Exodus, Sampled, Tally};
use super::timeline::Timeline;
use super::times::Times;
use super::verdict::judge;
use crate::api::LatencyClass;
use crate::platform::{Host, host};
use crate::stats::Spread;

/// Points of a failover's curve at most.
const POINTS: usize = 200;

/// What was found.
pub(super) struct Found {
    /// The nodes' names, by number.
    pub(super) names: Vec<String>,
    /// Connections when all were made.
    pub(super) connected: Count,
    /// Connections at the end of the hold.
    pub(super) held: u32,
    pub(super) hold: Duration,
    pub(super) counts: Counts,
    pub(super) memory: Memory,
    /// Clients that were to come back.
    pub(super) sampled: u32,
    pub(super) victims: Option<Victims>,
    pub(super) timeline: Timeline,
    pub(super) tally: Tally,
    pub(super) was_stopped: bool,
}

/// The clients of a node that was made to fail.
pub(super) struct Victims {
    node: String,
    mode: FailoverMode,
    clients: u32,
    /// Microseconds since the test began.
    at: u64,
    pub(super) failing: Failing,
    /// All connections by node when all of them were served elsewhere.
    pub(super) after: Option<Vec<NodeCount>>,
}

impl Victims {
    pub(super) fn new(node: &str, mode: FailoverMode, clients: u32, at: u64, failing: Failing) -> Victims {
        Victims {
            node: node.to_owned(),
            mode,
            clients,
            at,
            failing,
            after: None,
        }
    }
}

impl Found {
    /// The results, judged.
    pub(super) fn results(self, order: &Order, began: SystemTime) -> Results {
        let nodes = self.node_order(order);
        let name = |node: NodeId| self.names.get(usize::from(node)).cloned().unwrap_or_default();
        let sticky = (self.sampled > 0).then(|| sticky(&self.tally.sampled, self.sampled, name));
        let failover = self
            .victims
            .as_ref()
            .map(|victims| failover(victims, &self.tally.failover, order, name));
        let connected = &self.connected;
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
            ramp: ramp(&self.tally, connected),
            held: self.held,
            hold_seconds: self.hold.as_secs_f64(),
            nodes: nodes
                .iter()
                .map(|(place, name)| self.node(*place, name))
                .collect(),
            distribution: distribution(order, connected),
            messages: self.tally.messages,
            latency: latency(&self.tally, order),
            sticky,
            failover,
            errors: self.tally.errors.by_kind(),
            memory: self.memory,
            timeline: Vec::new(),
            counts: self.counts,
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

    /// The nodes in the cluster's order, those that did not serve too, and behind them all others that did: their numbers, if they
    /// served, and names.
    fn node_order(&self, order: &Order) -> Vec<(Option<usize>, String)> {
        let place = |name: &str| self.names.iter().position(|known| known == name);
        let members: Vec<String> = order
            .cluster
            .iter()
            .flat_map(|cluster| cluster.nodes.iter().map(|(name, _)| name.clone()))
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
            connected: of(&self.connected),
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
        connections: order.connections,
        seconds: order.hold.as_secs_f64(),
        rate: order.rate,
        messages_per_second: order.messages_per_second,
        sources: order.sources.count(),
        workers: order.workers,
    }
}

fn ramp(tally: &Tally, connected: &Count) -> Ramp {
    let seconds = Duration::from_micros(tally.last_first_welcome).as_secs_f64();
    let connected = u32::try_from(connected.total).unwrap_or(u32::MAX);
    Ramp {
        seconds,
        connected,
        rate: if seconds > 0.0 {
            f64::from(connected) / seconds
        } else {
            0.0
        },
        handshake: tally.handshake.quantiles(),
    }
}

fn distribution(order: &Order, connected: &Count) -> Distribution {
    let of = |name: &str| {
        let node = connected.nodes.iter().find(|node| node.name == name);
        node.map_or(0, |node| node.connections)
    };
    // A node of ours that serves nobody is as uneven as can be.
    let counts: Vec<u64> = match &order.cluster {
        Some(cluster) => cluster.nodes.iter().map(|(name, _)| of(name)).collect(),
        None => connected.nodes.iter().map(|node| node.connections).collect(),
    };
    let counts = counts
        .into_iter()
        .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let counts: Vec<u32> = counts.collect();
    let values: Vec<f64> = counts.iter().copied().map(f64::from).collect();
    let spread = Spread::of(&values);
    let of_spread = |what: fn(&Spread) -> f64, none| spread.as_ref().map_or(none, what);
    Distribution {
        mean: of_spread(|spread| spread.mean, 0.0),
        min: counts.iter().copied().min().unwrap_or(0),
        max: counts.iter().copied().max().unwrap_or(0),
        variance_percent: of_spread(|spread| spread.variance_percent, 0.0),
        variance_target_percent: order.targets.variance.get(),
        tolerance_percent: order.targets.tolerance.get(),
        stddev: of_spread(|spread| spread.stddev, 0.0),
        jain: of_spread(|spread| spread.jain, 1.0),
    }
}

fn latency(tally: &Tally, order: &Order) -> Latency {
    let mut all = Times::default();
    tally.nodes.iter().for_each(|node| all.merge(node));
    let nodes: Vec<Quantiles> = tally
        .nodes
        .iter()
        .map(Times::quantiles)
        .filter(|node| node.count > 0)
        .collect();
    let p99: Vec<(f64, u64)> = nodes.iter().map(|node| (node.p99_ms, node.count)).collect();
    let (variance_percent, class) = LatencyClass::of(&p99);
    Latency {
        all: all.quantiles(),
        variance_percent,
        class,
        p99_target_ms: millis(order.targets.p99.duration()),
        histogram: all.buckets(),
    }
}

fn sticky(found: &Sampled, sampled: u32, name: impl Fn(NodeId) -> String) -> Sticky {
    let moved = found.examples.iter().map(|(address, was, now)| Moved {
        address: *address,
        was: name(*was),
        now: now.map(&name),
    });
    Sticky {
        // Not all that were to come back had a connection to give up.
        sampled: (found.same + found.moved).min(sampled),
        same: found.same,
        moved: moved.collect(),
    }
}

fn failover(victims: &Victims, exodus: &Exodus, order: &Order, name: impl Fn(NodeId) -> String) -> Failover {
    let since = |at: u64| millis(Duration::from_micros(at.saturating_sub(victims.at)));
    let mut cut: Vec<f64> = exodus.cut.iter().map(|at| since(*at)).collect();
    let mut rehomed: Vec<f64> = exodus.rehomed.iter().map(|(at, _)| since(*at)).collect();
    cut.sort_by(f64::total_cmp);
    rehomed.sort_by(f64::total_cmp);
    let clients = victims.clients as usize;
    // The time of the client with this rank, among all that the node had.
    let of_rank = |times: &[f64], rank: usize| times.get(rank.checked_sub(1)?).copied();
    let mut rehomed_to: Vec<NodeCount> = Vec::new();
    for (_, node) in &exodus.rehomed {
        let node = name(*node);
        match rehomed_to.iter_mut().find(|count| count.name == node) {
            Some(count) => count.connections += 1,
            None => rehomed_to.push(NodeCount {
                name: node,
                connections: 1,
            }),
        }
    }
    Failover {
        node: victims.node.clone(),
        mode: victims.mode,
        at_seconds: Duration::from_micros(victims.at).as_secs_f64(),
        clients: victims.clients,
        detected_ms: victims.failing.detected_ms(),
        cut_p50_ms: of_rank(&cut, clients.div_ceil(2)),
        cut_p100_ms: of_rank(&cut, clients),
        rehomed_p50_ms: of_rank(&rehomed, clients.div_ceil(2)),
        rehomed_p100_ms: of_rank(&rehomed, clients),
        back_ms: victims.failing.back_ms(),
        target_ms: millis(order.targets.failover.duration()),
        homeless: victims
            .clients
            .saturating_sub(u32::try_from(rehomed.len()).unwrap_or(u32::MAX)),
        failed_attempts: exodus.failed_attempts,
        bystanders: exodus.bystanders,
        rehomed_to: by_name(rehomed_to),
        after: by_name(victims.after.clone().unwrap_or_default()),
        curve: curve(&cut, &rehomed),
    }
}

fn by_name(mut counts: Vec<NodeCount>) -> Vec<NodeCount> {
    counts.sort_by(|one, other| one.name.cmp(&other.name));
    counts
}

/// How many were cut and served elsewhere by when, at times that are evenly spaced.
fn curve(cut: &[f64], rehomed: &[f64]) -> Vec<FailoverPoint> {
    let Some(end) = cut
        .last()
        .into_iter()
        .chain(rehomed.last())
        .copied()
        .reduce(f64::max)
    else {
        return Vec::new();
    };
    let by = |times: &[f64], ms| u32::try_from(times.partition_point(|time| *time <= ms)).unwrap_or(u32::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred points")]
    let at = |nth: usize| end * nth as f64 / POINTS as f64;
    (0..=POINTS)
        .map(|nth| FailoverPoint {
            ms: at(nth),
            cut: by(cut, at(nth)),
            rehomed: by(rehomed, at(nth)),
        })
        .collect()
}
