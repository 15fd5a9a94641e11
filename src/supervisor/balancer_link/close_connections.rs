//! Closes the balancer's connections to a node where no order can: at replaced instances, and at
//! instances that read files.

use std::time::Instant;

use crate::plan::PROBE_SOURCE;
use crate::platform::sock_diag::destroy_to;
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::process::child;
use crate::supervisor::process::stop_sequence::StopSequence;
use crate::supervisor::rollout::ChildId;

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

    /// The kernel did not close the balancer's connections to the node: they end with the node's
    /// process.
    pub(in crate::supervisor) fn connections_not_closed(&mut self, node: &str, now: Instant) {
        let Ok(index) = self.index(node) else { return };
        if !self.reads_files() {
            return;
        }
        tracing::warn!(node, "killed, because nothing else ends its connections");
        let event = if self.health.last_state(index).answers() {
            // The node was only drained; it is not held back like a node that has failed.
            child::Event::Stop(StopSequence::kill(), child::Then::Start)
        } else {
            child::Event::Hung
        };
        self.apply(ChildId::Node(index), event, now);
    }
}
