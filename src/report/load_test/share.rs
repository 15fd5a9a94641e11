//! The number of connections by which a node is judged.

use crate::load_test::results::{Distribution, NodeResult};

/// The node's connections when all were made, including other clients' where both are judged
/// together; `None` for a node that was not taking clients.
pub(super) fn share(spread: &Distribution, node: &NodeResult) -> Option<u64> {
    if spread.nodes.is_empty() {
        return Some(node.connected.into());
    }
    let judged = spread.nodes.iter().find(|judged| judged.name == node.name);
    judged.map(|judged| judged.connections)
}
