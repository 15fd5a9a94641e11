//! The same connections, counted by generator, balancer and kernel independently.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::by_balancer::by_balancer;
use super::command::Locals;
use super::names::Names;
use super::order::{Cluster, Order};
use super::protocol::Protocol;
use super::results::{Count, Counts, NodeCount};
use super::worker_pool::{WorkerPool, WorkersState};
use crate::base::stats::Draws;
use crate::plan::PROBE_SOURCE;
use crate::platform::sock_diag::{Callers, count_callers, count_established, count_to};

/// How long counts may differ: the three do not see the end of a connection at the same moment.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// Counts until the three agree, the time is over, or `stop` is requested.
pub(super) async fn count(
    order: &Order,
    pool: &WorkerPool,
    names: &Names,
    stop: &CancellationToken,
) -> Counts {
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    loop {
        let (counts, _) = count_once(order, pool, names).await;
        if counts.agree != Some(false) || Instant::now() > deadline || stop.is_cancelled() {
            return counts;
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

/// How many connections at the target belong to other clients. These may connect and leave while
/// the nodes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Others {
    /// Before the count.
    before: u64,
    /// After the count.
    after: u64,
}

/// How connections are distributed over the nodes.
#[derive(Clone, Debug)]
pub(super) struct Placement {
    /// The connections of this test.
    pub(super) own: Count,
    /// All connections, if other clients have some: a balancer that deals connections out in turn
    /// distributes them evenly over all, whichever client they belong to.
    pub(super) all: Count,
    /// How many of all belong to other clients.
    pub(super) others: u64,
    /// How many of these came, left, or were not at a node yet, while they were counted.
    pub(super) in_motion: u64,
    /// The source addresses of this test, each with its connections.
    pub(super) addresses: Draws,
}

/// How connections are distributed over the nodes now.
pub(super) async fn placement(order: &Order, pool: &WorkerPool, names: &Names) -> Placement {
    let (counts, others) = count_once(order, pool, names).await;
    let addresses = addresses(&pool.locals().await.held);
    match counts.kernel {
        // Over other protocols the kernel also counts connections that the balancer keeps.
        Some(all) if counts.others > 0 && order.protocol == Protocol::Tcp => Placement {
            others: all.total.saturating_sub(counts.generator.total),
            in_motion: in_motion(&all, &counts.generator, others),
            own: counts.generator,
            all,
            addresses,
        },
        _ => Placement {
            own: counts.generator.clone(),
            all: counts.generator,
            others: 0,
            in_motion: 0,
            addresses,
        },
    }
}

/// What workers hold, by node: those of the cluster in its order, then all others.
pub(super) fn held(order: &Order, state: &WorkersState, names: &Names) -> Count {
    let members = order.cluster.as_ref().map_or(&[][..], |cluster| &cluster.nodes);
    let place = |name: &str| members.iter().position(|member| member.name == name);
    let mut nodes: Vec<NodeCount> = names
        .all()
        .into_iter()
        .zip(&state.held)
        .map(|(name, held)| NodeCount {
            name,
            connections: (*held).into(),
        })
        .collect();
    nodes.sort_by_key(|node| place(&node.name).unwrap_or(usize::MAX));
    total(nodes)
}

// Private

/// The counts, and the connections of others at the target.
async fn count_once(order: &Order, pool: &WorkerPool, names: &Names) -> (Counts, Others) {
    let generator = held(order, &pool.state().await, names);
    let Locals { held, opening } = pool.locals().await;
    let locals: Arc<BTreeSet<SocketAddr>> =
        Arc::new(held.into_iter().chain(opening.iter().copied()).collect());
    let opening = opening.len() as u64;
    let (target, nodes, ours) = (order.target, order.cluster.clone(), Arc::clone(&locals));
    let kernel = blocking(move || {
        let callers = count_callers(target, &ours)?;
        Ok((callers, nodes.as_ref().map(at_nodes).transpose()?))
    })
    .await;
    let mut meaning = meaning(order);
    let balancer = match &order.cluster {
        Some(cluster) => by_balancer(cluster, order.target)
            .await
            .map_err(|why| meaning.push(format!("no count by the balancer: {why}")))
            .ok(),
        None => None,
    };
    let (callers, kernel) = kernel.unwrap_or_else(|error| {
        meaning.push(format!("no count by the kernel: {error}"));
        (Callers::default(), None)
    });
    let after = match callers.others {
        0 => Ok(callers),
        _ => blocking(move || count_callers(target, &locals)).await,
    };
    let others = Others {
        before: callers.others,
        after: after.map_or(callers.others, |after| after.others),
    };
    let mut counts = Counts {
        generator,
        balancer,
        kernel,
        to_target: callers.ours,
        others: if order.cluster.is_some() {
            callers.others
        } else {
            0
        },
        agree: None,
        meaning,
    };
    counts.agree = Some(agree(order, &counts, opening, others));
    (counts, others)
}

/// Runs `f` on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Counts at the nodes' ends, by the kernel.
fn at_nodes(cluster: &Cluster) -> io::Result<Count> {
    let addresses: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.address).collect();
    let counts = if cluster.on_this_host {
        count_established(&addresses, &[PROBE_SOURCE])
    } else {
        count_to(&addresses, &BTreeSet::new())
    }?;
    let nodes = cluster
        .nodes
        .iter()
        .zip(counts)
        .map(|(node, connections)| NodeCount {
            name: node.name.clone(),
            connections,
        });
    Ok(total(nodes.collect()))
}

/// The number of connections for each source address.
fn addresses(locals: &[SocketAddr]) -> Draws {
    let mut connections: BTreeMap<IpAddr, u64> = BTreeMap::new();
    for local in locals {
        *connections.entry(local.ip()).or_default() += 1;
    }
    Draws::of(connections.into_values())
}

/// The total of all nodes, with the count of each.
pub(super) fn total(nodes: Vec<NodeCount>) -> Count {
    Count {
        total: nodes.iter().map(|node| node.connections).sum(),
        nodes,
    }
}

/// Whether all counts of the same thing are equal, given the number of own connections that are not
/// served yet, and those of others.
fn agree(order: &Order, counts: &Counts, opening: u64, others: Others) -> bool {
    let not_served = counts.to_target.checked_sub(counts.generator.total);
    let at_target = not_served.is_some_and(|connections| connections <= opening);
    if order.protocol != Protocol::Tcp || order.cluster.is_none() {
        return at_target;
    }
    // A source that could not be asked contradicts none; its missing count shows that.
    let at_nodes = |count: &Option<Count>| {
        count
            .as_ref()
            .is_none_or(|count| contains(count, &counts.generator, opening, others))
    };
    at_target && at_nodes(&counts.kernel) && at_nodes(&counts.balancer)
}

/// Whether `all` can be `ours` plus `others`, whose nodes are not known. While others come and go,
/// some are not at a node yet, or no longer: then none of our own may be missing, and there may be
/// no more than `others` in addition. Our own that are `opening` may be at a node or not.
fn contains(all: &Count, ours: &Count, opening: u64, others: Others) -> bool {
    let Others { before, after } = others;
    let of_ours = |name: &str| {
        let node = ours.nodes.iter().find(|node| node.name == name);
        node.map_or(0, |node| node.connections)
    };
    let none_lacks = all
        .nodes
        .iter()
        .all(|node| node.connections >= of_ours(&node.name));
    let least = if before == after { before } else { 0 };
    let strangers = least..=before.max(after) + opening;
    let there = all.total.checked_sub(ours.total);
    none_lacks && there.is_some_and(|there| strangers.contains(&there))
}

/// How many connections of others came or left between both counts at the target, or were at the
/// target but at no node.
fn in_motion(all: &Count, ours: &Count, Others { before, after }: Others) -> u64 {
    let at_nodes = all.total.saturating_sub(ours.total);
    let on_their_way = before.max(after).saturating_sub(at_nodes);
    before.abs_diff(after).max(on_their_way)
}

fn meaning(order: &Order) -> Vec<String> {
    let Some(cluster) = &order.cluster else {
        return vec![
            "generator: connections that were served and live; target: the kernel's, from this generator"
                .into(),
        ];
    };
    let generator = "generator: connections that were served and live, by the name of the node, from the server or the balancer";
    let facts = cluster.balancer.facts();
    let by_page = !facts.counts_servers;
    let balancer = if by_page {
        format!(
            "balancer: clients' connections by {}'s status page, which knows no figure per node; those at its other listeners \
             are left out",
            facts.title
        )
    } else {
        format!("balancer: sessions of each server in {}", cluster.backend)
    };
    let kernel = "kernel: established connections of each node's port, probes left out";
    let more = match order.protocol {
        Protocol::Tcp => "all three count the same connections, one each",
        Protocol::Http if by_page => {
            "over HTTP they differ: the balancer keeps few connections to the nodes and sends the requests of all clients over them; \
             the generator's and the kernel's count at the target must agree"
        }
        Protocol::Http => {
            "over HTTP they differ: the balancer keeps few connections to the nodes and sends the requests of all clients over them, \
             and a session is a request in progress; the generator's and the kernel's count at the target must agree"
        }
        Protocol::Ws => {
            "a WebSocket is one connection at each; the kernel also counts idle ones that the balancer keeps to the nodes"
        }
        Protocol::Sse => {
            "a stream is one connection at each; the kernel also counts those that messages go by, and idle ones that the balancer keeps"
        }
    };
    vec![generator.into(), balancer, kernel.into(), more.into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_of(counts: &[(&str, u64)]) -> Count {
        let node = |(name, connections): &(&str, u64)| NodeCount {
            name: (*name).to_owned(),
            connections: *connections,
        };
        total(counts.iter().map(node).collect())
    }

    const fn others(before: u64, after: u64) -> Others {
        Others { before, after }
    }

    #[test]
    fn others_may_be_on_any_node_and_none_of_our_own_may_be_missing() {
        let ours = count_of(&[("b", 3), ("a", 2)]);
        assert!(contains(
            &count_of(&[("a", 2), ("b", 3), ("c", 0)]),
            &ours,
            0,
            others(0, 0)
        ));
        assert!(contains(
            &count_of(&[("a", 2), ("b", 3), ("c", 5)]),
            &ours,
            0,
            others(5, 5)
        ));
        assert!(!contains(
            &count_of(&[("a", 2), ("b", 4)]),
            &ours,
            0,
            others(0, 0)
        ));
        assert!(!contains(
            &count_of(&[("a", 3), ("b", 2)]),
            &ours,
            0,
            others(0, 0)
        ));
        assert!(!contains(
            &count_of(&[("a", 1), ("b", 9)]),
            &ours,
            0,
            others(5, 5)
        ));
    }

    #[test]
    fn a_count_without_nodes_is_compared_by_its_total() {
        let ours = count_of(&[("a", 2), ("b", 3)]);
        let sum = |total| Count {
            total,
            nodes: Vec::new(),
        };
        assert!(contains(&sum(5), &ours, 0, others(0, 0)));
        assert!(contains(&sum(7), &ours, 0, others(2, 2)));
        assert!(!contains(&sum(4), &ours, 0, others(0, 0)) && !contains(&sum(6), &ours, 0, others(0, 0)));
    }

    #[test]
    fn others_that_come_leave_or_are_on_their_way_are_in_motion() {
        let ours = count_of(&[("a", 2), ("b", 3)]);
        let of = |there: u64, others| in_motion(&count_of(&[("a", there)]), &ours, others);
        assert_eq!(
            [of(9, others(4, 4)), of(12, others(4, 7)), of(10, others(7, 4))],
            [0, 3, 3]
        );
        // Two of four have not reached a node.
        assert_eq!(of(7, others(4, 4)), 2);
    }

    #[test]
    fn others_that_connect_during_the_count_may_not_have_reached_a_node() {
        let ours = count_of(&[("a", 2), ("b", 3)]);
        for there in 5..=12 {
            assert!(
                contains(&count_of(&[("a", 2), ("b", there - 2)]), &ours, 0, others(4, 7)),
                "{there}"
            );
        }
        assert!(!contains(
            &count_of(&[("a", 2), ("b", 11)]),
            &ours,
            0,
            others(4, 7)
        ));
        assert!(!contains(
            &count_of(&[("a", 1), ("b", 5)]),
            &ours,
            0,
            others(7, 4)
        ));
    }

    #[test]
    fn own_connections_that_are_not_served_yet_may_be_at_a_node() {
        let ours = count_of(&[("a", 2), ("b", 3)]);
        for there in 5..=8 {
            assert!(contains(
                &count_of(&[("a", 2), ("b", there - 2)]),
                &ours,
                3,
                others(0, 0)
            ));
        }
        assert!(!contains(
            &count_of(&[("a", 2), ("b", 7)]),
            &ours,
            3,
            others(0, 0)
        ));
        assert!(!contains(
            &count_of(&[("a", 2), ("b", 3)]),
            &ours,
            3,
            others(1, 1)
        ));
    }
}
