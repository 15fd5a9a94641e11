//! By how many connections a node is judged.

use crate::load_test::results::{Distribution, NodeResult};

/// The node's connections when all were made, those of others too where they are judged together; none for a node that was not
/// taking clients.
pub(super) fn share(spread: &Distribution, node: &NodeResult) -> Option<u64> {
    if spread.nodes.is_empty() {
        return Some(node.connected.into());
    }
    let judged = spread.nodes.iter().find(|judged| judged.name == node.name);
    judged.map(|judged| judged.connections)
}
