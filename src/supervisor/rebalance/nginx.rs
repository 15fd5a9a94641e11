//! The TCP connections of nginx, which does not show them: the kernel does, with both of their ends.
//!
//! The connections of nginx's processes to a node are those of the node's clients. Where nginx computes a client's
//! node from its address, the client's own connection must be found: the one through which as many
//! bytes passed at the same times, with the directions exchanged. A client's connection counts as
//! misplaced when no connection to the node that nginx computes now can be the other end of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::plan::Destination;
use super::survey::{Kept, Scope, Survey, Target, from_kernel, held_by};
use crate::api::Refusal;
use crate::platform::sock_diag::{Activity, Connection, accepted_at, opened_to};
use crate::render::{ComputedNodes, Held, ReconnectRule, reconnect_rules};

/// The largest difference between the times at which two ends of a client's path were used.
const MAX_SKEW_MS: u64 = 250;

/// Reads the connections to the nodes, and those of clients.
pub(super) async fn read(scope: &Scope) -> Result<Survey, Refusal> {
    let spec = &scope.spec;
    let nodes = scope.tcp_nodes();
    let addresses: Vec<SocketAddr> = spec.cluster.nodes.iter().filter_map(|node| node.tcp).collect();
    let all_nodes: HashSet<SocketAddr> = addresses.iter().copied().collect();
    let tcp = spec.cluster.listen.tcp;
    let mut public = spec.public_addresses();
    public.retain(|address| Some(address.port()) == tcp);
    let masters = scope.balancers.clone();
    let read = move || {
        let connections = [opened_to(&addresses)?, accepted_at(&public)?].concat();
        // Workers that shut down after a reload are among them: they have what came before.
        Ok(held_by(&masters, connections))
    };
    let mut survey = Survey::empty(scope);
    let (mut opened, mut accepted) = (Vec::new(), Vec::new());
    for connection in from_kernel(read).await? {
        match nodes.iter().find(|(_, address)| *address == connection.peer) {
            Some((node, _)) => opened.push((*node, connection)),
            None if all_nodes.contains(&connection.peer) => survey.elsewhere += 1,
            None => accepted.push(connection),
        }
    }

    for (node, _) in &opened {
        survey.count(*node);
    }
    if spec.cluster.has_http() && scope.streams {
        survey.keep(Kept::NotShown);
    }
    let rule = reconnect_rules(&spec.cluster, false)
        .into_iter()
        .find(|it| it.held == Held::Tcp);
    let to = match rule.map(|it| it.rule) {
        // Its workers count connections since the last change of its configuration, and a node that
        // came back is one: for them all nodes are about equally full.
        Some(ReconnectRule::RoundRobin | ReconnectRule::LeastConnections) => Destination::RoundRobin,
        Some(ReconnectRule::ComputedNode) => {
            add_misplaced(scope, &mut survey, &opened, accepted);
            return Ok(survey);
        }
        _ => {
            survey
                .kept
                .insert(Kept::UnknownNode(Held::Tcp), opened.len() as u64);
            return Ok(survey);
        }
    };
    for (node, connection) in opened {
        survey.add(
            node,
            to,
            connection.activity.idle(),
            Target::Connection(connection),
        );
    }
    Ok(survey)
}

// Private

/// Adds the clients that nginx would send to another node now.
fn add_misplaced(
    scope: &Scope,
    survey: &mut Survey,
    opened: &[(usize, Connection)],
    accepted: Vec<Connection>,
) {
    let names = scope.spec.cluster.nodes.iter().map(|node| node.name.clone());
    let away: BTreeSet<String> = names.filter(|name| scope.place(name).is_none()).collect();
    let Some(computed) = ComputedNodes::of_tcp(&scope.spec.cluster, &away) else {
        return;
    };
    let mut ends = OtherEnds::new(opened);
    let mut misplaced = Vec::new();
    for connection in accepted {
        let computed_node = computed.of(connection.peer.ip());
        let Some(computed_node) = computed_node.and_then(|node| scope.place(node)) else {
            continue;
        };
        if !ends.take(&connection.activity, computed_node) {
            misplaced.push((computed_node, connection));
        }
    }
    for (computed_node, connection) in misplaced {
        let others = (0..scope.serving.len()).filter(|node| *node != computed_node);
        let mut others = others.collect::<Vec<_>>().into_iter();
        if let Some(from) = others.find(|node| ends.take(&connection.activity, *node)) {
            let idle = connection.activity.idle();
            survey.add(
                from,
                Destination::Node(computed_node),
                idle,
                Target::Connection(connection),
            );
        }
    }
}

/// The connections to nodes that no client's connection was matched with yet.
struct OtherEnds {
    /// By node, and by the bytes sent and received.
    by_bytes: HashMap<(usize, u64, u64), ByTime>,
}

/// By the time since data was sent, in ms, and a number: the time since data was received.
type ByTime = BTreeMap<(u64, usize), u64>;

impl OtherEnds {
    fn new(opened: &[(usize, Connection)]) -> OtherEnds {
        let mut by_bytes: HashMap<_, ByTime> = HashMap::new();
        for (number, (node, connection)) in opened.iter().enumerate() {
            let activity = &connection.activity;
            // The kernel counts the SYN of the end that has opened the connection.
            let sent = activity.acknowledged.saturating_sub(1);
            let received_at = millis(activity.since_received);
            by_bytes
                .entry((*node, sent, activity.received))
                .or_default()
                .insert((millis(activity.since_sent), number), received_at);
        }
        OtherEnds { by_bytes }
    }

    /// Finds the other end of a client's connection among those to `node`, and takes it away.
    fn take(&mut self, client: &Activity, node: usize) -> bool {
        let bytes = (node, client.received, client.acknowledged);
        let Some(ends) = self.by_bytes.get_mut(&bytes) else {
            return false;
        };
        let (received, sent) = (millis(client.since_received), millis(client.since_sent));
        let near = (received.saturating_sub(MAX_SKEW_MS), 0)..=(received + MAX_SKEW_MS, usize::MAX);
        let found = ends
            .range(near)
            .filter(|(_, received_at)| received_at.abs_diff(sent) <= MAX_SKEW_MS)
            .map(|(at, received_at)| (at.0.abs_diff(received) + received_at.abs_diff(sent), *at))
            .min();
        found.is_some_and(|(_, at)| ends.remove(&at).is_some())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
