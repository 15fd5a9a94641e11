//! Closes the balancer's connections to a node where no order can: at replaced instances, and at
//! instances that read files.

use std::time::{Duration, Instant};

use crate::plan::PROBE_SOURCE;
use crate::platform::sock_diag::{Accepted, destroy_to};
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::process::child;
use crate::supervisor::process::stop_sequence::StopSequence;
use crate::supervisor::waves::ChildId;

/// Time between two parts of the connections that are closed one after another.
const CLOSE_INTERVAL: Duration = Duration::from_millis(50);

impl Core {
    /// Replaced balancer instances, and those without a runtime API, cannot receive orders: the
    /// kernel closes their connections to the node.
    pub(in crate::supervisor) fn close_connections(&self, node: &str) {
        let Some(node) = self.spec.cluster.node(node).cloned() else {
            return;
        };
        if !self.children.has_retired() && !self.reads_files() {
            return;
        }
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            for address in node.addresses() {
                if let Err(error) = destroy_to(address, &[PROBE_SOURCE]) {
                    let name = &node.name;
                    tracing::warn!(node = name, %address, "connections were not ended: {error}");
                    events.blocking_send(CoreEvent::ConnectionsNotClosed { node: node.name });
                    return;
                }
            }
        });
    }

    /// The balancer's clients are disconnected by the kernel, evenly over this time, where it does not
    /// close them itself: a balancer that ends cannot receive orders. What is left after it ends with
    /// the balancer's process.
    pub(in crate::supervisor) fn close_evenly(&self, over: Duration) {
        let needs_no_help = |id: ChildId| matches!(id, ChildId::Node(_)) || self.spec.closes_clients(id);
        if self.children.ids().all(needs_no_help) {
            return;
        }
        let public = self.spec.public_addresses();
        let events = self.events.clone();
        tokio::spawn(async move {
            let clients = tokio::task::spawn_blocking(move || Accepted::at(&public)).await;
            let mut left = match clients {
                Ok(Ok(accepted)) => accepted,
                Ok(Err(error)) => return tracing::warn!("connections are closed all at once: {error}"),
                Err(_) => return,
            };
            tracing::info!(
                connections = left.len(),
                "connections are closed one after another"
            );
            let all = left.len() as u128;
            let mut ticks = tokio::time::interval(CLOSE_INTERVAL);
            let began = tokio::time::Instant::now();
            while !left.is_empty() && !events.is_closed() {
                ticks.tick().await;
                let remaining = over.saturating_sub(began.elapsed());
                let kept = all * remaining.as_millis() / over.as_millis().max(1);
                if let Err(error) = left.close_all_but(usize::try_from(kept).unwrap_or(0)) {
                    return tracing::warn!("connections are closed all at once: {error}");
                }
            }
        });
    }

    /// The kernel did not close the balancer's connections to the node: they end with the node's
    /// process.
    pub(in crate::supervisor) fn connections_not_closed(&mut self, node: &str, now: Instant) {
        let Ok(id) = self.node_id(node) else { return };
        if !self.reads_files() {
            return;
        }
        tracing::warn!(node, "killed, because nothing else ends its connections");
        let event = if self.health.last_state(id).answers() {
            // The node was only drained; it is not held back like a node that has failed.
            child::Event::Stop(StopSequence::kill(), child::Then::Start)
        } else {
            child::Event::Hung
        };
        self.apply(ChildId::Node(id), event, now);
    }
}
