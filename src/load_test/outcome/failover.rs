//! What happened to the clients of a node that was made to fail.

use std::time::Duration;

use crate::load_test::fault_injection::InjectedFault;
use crate::load_test::names::NodeId;
use crate::load_test::order::Order;
use crate::load_test::results::{Failover, FailoverMode, FailoverPoint, NodeCount, millis};
use crate::load_test::tally::FailoverTally;

/// Points of a failover's curve at most.
const POINTS: usize = 200;

/// The clients of a node that was made to fail.
pub(in crate::load_test) struct Victims {
    node: String,
    mode: FailoverMode,
    clients: u32,
    /// Microseconds since the test began.
    at: u64,
    pub(in crate::load_test) fault: InjectedFault,
    /// All connections by node when all of them were served elsewhere.
    pub(in crate::load_test) after: Option<Vec<NodeCount>>,
}

impl Victims {
    pub(in crate::load_test) fn new(
        node: &str,
        mode: FailoverMode,
        clients: u32,
        at: u64,
        fault: InjectedFault,
    ) -> Victims {
        Victims {
            node: node.to_owned(),
            mode,
            clients,
            at,
            fault,
            after: None,
        }
    }
}

/// The result, in times since the node was made to fail; `name` returns a node's name.
pub(super) fn failover(
    victims: &Victims,
    exodus: &FailoverTally,
    order: &Order,
    name: impl Fn(NodeId) -> String,
) -> Failover {
    let since = |at: u64| millis(Duration::from_micros(at.saturating_sub(victims.at)));
    let mut cut: Vec<f64> = exodus.cut.iter().map(|at| since(*at)).collect();
    let mut rehomed: Vec<f64> = exodus.rehomed.iter().map(|(at, _)| since(*at)).collect();
    cut.sort_by(f64::total_cmp);
    rehomed.sort_by(f64::total_cmp);
    let clients = victims.clients as usize;
    // The time of the client with this rank, among all that the node had.
    let of_rank = |times: &[f64], rank: usize| times.get(rank.checked_sub(1)?).copied();
    Failover {
        node: victims.node.clone(),
        mode: victims.mode,
        at_seconds: Duration::from_micros(victims.at).as_secs_f64(),
        clients: victims.clients,
        detected_ms: victims.fault.detected_ms(),
        cut_p50_ms: of_rank(&cut, clients.div_ceil(2)),
        cut_p100_ms: of_rank(&cut, clients),
        rehomed_p50_ms: of_rank(&rehomed, clients.div_ceil(2)),
        rehomed_p100_ms: of_rank(&rehomed, clients),
        back_ms: victims.fault.back_ms(),
        target_ms: millis(order.targets.failover.duration()),
        homeless: victims
            .clients
            .saturating_sub(u32::try_from(rehomed.len()).unwrap_or(u32::MAX)),
        failed_attempts: exodus.errors.count(),
        errors: exodus.errors.by_kind(),
        bystanders: exodus.bystanders,
        rehomed_to: by_name(rehomed_to(exodus, name)),
        after: by_name(victims.after.clone().unwrap_or_default()),
        curve: curve(&cut, &rehomed),
    }
}

// Private

/// The number of clients that each node has taken over.
fn rehomed_to(exodus: &FailoverTally, name: impl Fn(NodeId) -> String) -> Vec<NodeCount> {
    let mut counts: Vec<NodeCount> = Vec::new();
    for (_, node) in &exodus.rehomed {
        let name = name(*node);
        match counts.iter_mut().find(|count| count.name == name) {
            Some(count) => count.connections += 1,
            None => counts.push(NodeCount { name, connections: 1 }),
        }
    }
    counts
}

fn by_name(mut counts: Vec<NodeCount>) -> Vec<NodeCount> {
    counts.sort_by(|one, other| one.name.cmp(&other.name));
    counts
}

/// The number of clients cut, and served elsewhere, at evenly spaced times.
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
