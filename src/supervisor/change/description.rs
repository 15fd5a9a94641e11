//! What describes a node while a rollout is on its way.

use std::net::SocketAddr;

use crate::profile::{Node, NodeId, Runtime};
use crate::supervisor::spec::Spec;

/// Where a node listens.
pub(in crate::supervisor) type Addresses = [Option<SocketAddr>; 3];

impl Spec {
    /// What describes the node: this, or what described it when it was started.
    pub(in crate::supervisor) fn of_node(&self, node: NodeId) -> &Spec {
        self.others.get(&node).map_or(self, |other| other)
    }

    /// Whether this cluster starts and stops the node.
    pub(in crate::supervisor) fn is_own(&self, node: NodeId) -> bool {
        self.of_node(node).cluster.runtime != Runtime::External
    }
}

/// The addresses of the node.
pub(in crate::supervisor) const fn addresses(node: &Node) -> Addresses {
    [node.tcp, node.http, node.distribution]
}
