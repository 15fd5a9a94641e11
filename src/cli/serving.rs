//! After an order: checks whether the nodes concerned get new connections from the balancer.

use std::time::{Duration, Instant};

use super::failure::Failure;
use crate::api::{BalancerState, Client, ClientError, GetStatus, Node, NodeState, Status};

/// The time between two queries of the supervisor.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Time for an order to reach the balancer, and for a new balancer process to take over.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The status once the nodes for which `is_meant` holds and the balancer are settled, or
/// [`SETTLE_TIMEOUT`] is over.
///
/// # Errors
/// When the supervisor does not answer.
pub(super) async fn settled(
    client: &Client,
    is_meant: impl Fn(&Node) -> bool,
) -> Result<Status, ClientError> {
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    loop {
        let status = client.call(&GetStatus).await?;
        let is_on_its_way = |node: &Node| matches!(node.state, NodeState::HeldBack | NodeState::Starting);
        let is_reloading = status
            .balancer
            .as_ref()
            .is_some_and(|balancer| balancer.state == BalancerState::Reloading);
        let is_settled = !is_reloading
            && !status
                .nodes
                .iter()
                .any(|node| is_meant(node) && is_on_its_way(node));
        if is_settled || Instant::now() >= deadline {
            return Ok(status);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Checks that every node for which `is_meant` holds gets new connections, except nodes that an
/// order drained.
///
/// # Errors
/// When a node does not: with the reason, and what was `done` to it.
pub(super) fn all_serve(
    status: &Status,
    done: &str,
    is_meant: impl Fn(&Node) -> bool,
) -> Result<(), Failure> {
    let is_drained = |node: &Node| {
        node.reason.is_none()
            && matches!(
                node.state,
                NodeState::Draining | NodeState::Drained | NodeState::Stopped
            )
    };
    let mut others = status
        .nodes
        .iter()
        .filter(|node| is_meant(node) && node.state != NodeState::Up && !is_drained(node));
    match others.next() {
        None => Ok(()),
        Some(node) => {
            let state = node.state.name();
            let how = match &node.reason {
                Some(reason) if reason.starts_with(state) => reason.clone(),
                Some(reason) => format!("{state}: {reason}"),
                None if node.state == NodeState::Down => "down: the node does not answer".to_owned(),
                None => state.to_owned(),
            };
            let why = format!("`{}` {done}, but gets no new connections: {how}", node.name);
            Err(Failure::because(why).hint(hint(node)))
        }
    }
}

// Private

fn hint(node: &Node) -> String {
    match node.state {
        NodeState::Maintenance | NodeState::Draining | NodeState::Drained => {
            format!(
                "`clusterctl ready {}` undoes what was set at the balancer",
                node.name
            )
        }
        _ => format!("`clusterctl logs {}` shows more", node.name),
    }
}
