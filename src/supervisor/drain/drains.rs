//! The nodes that operators have ordered to drain.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::state::{Drain, Due};

/// The drains in force, by node name.
#[derive(Default)]
pub(in crate::supervisor) struct Drains {
    by_node: BTreeMap<String, Drain>,
    /// How many orders operators have given about each node, by name: the same order given again is
    /// carried out again.
    order_counts: BTreeMap<String, u32>,
}

impl Drains {
    /// The drains that an earlier supervisor has saved.
    pub(in crate::supervisor) fn saved(drains: BTreeMap<String, Drain>) -> Drains {
        Drains {
            by_node: drains,
            order_counts: BTreeMap::new(),
        }
    }

    /// Begins a drain of the node, or replaces the one in force.
    pub(in crate::supervisor) fn begin(&mut self, node: &str, drain: Drain) {
        self.by_node.insert(node.to_owned(), drain);
        self.count_order(node);
    }

    /// Ends the node's drain, and returns it. Without a drain, the order still counts.
    pub(in crate::supervisor) fn end(&mut self, node: &str) -> Option<Drain> {
        self.count_order(node);
        self.by_node.remove(node)
    }

    /// The node is gone: its drain ends, and its orders do not count any more.
    pub(in crate::supervisor) fn forget(&mut self, node: &str) {
        self.by_node.remove(node);
        self.order_counts.remove(node);
    }

    /// An operator has restarted the node.
    pub(in crate::supervisor) fn restarted(&mut self, node: &str) {
        if let Some(drain) = self.by_node.get_mut(node) {
            drain.restarted();
        }
    }

    /// Whether the node is to be drained.
    pub(in crate::supervisor) fn has(&self, node: &str) -> bool {
        self.by_node.contains_key(node)
    }

    /// Whether a drain has stopped the node.
    pub(in crate::supervisor) fn has_stopped(&self, node: &str) -> bool {
        self.by_node.get(node).is_some_and(Drain::has_stopped)
    }

    /// How many orders operators have given about the node.
    pub(in crate::supervisor) fn orders(&self, node: &str) -> u32 {
        self.order_counts.get(node).copied().unwrap_or(0)
    }

    /// Whether the number of connections matters to a drain.
    pub(in crate::supervisor) fn any_counts(&self) -> bool {
        self.by_node.values().any(Drain::counts)
    }

    /// Returns what is due for the node, which has this number of connections now.
    pub(in crate::supervisor) fn due(
        &mut self,
        node: &str,
        connections: u64,
        now: SystemTime,
    ) -> Option<Due> {
        self.by_node.get_mut(node)?.after(connections, now)
    }

    /// The drains in force, for the state file.
    pub(in crate::supervisor) fn to_save(&self) -> &BTreeMap<String, Drain> {
        &self.by_node
    }

    // Private

    fn count_order(&mut self, node: &str) {
        *self.order_counts.entry(node.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::DrainOrder;

    #[test]
    fn a_node_that_is_gone_is_not_drained_when_one_of_its_name_comes() {
        let mut drains = Drains::default();
        for node in ["erlmcp1", "erlmcp2"] {
            let order = DrainOrder {
                node: node.to_owned(),
                deadline: None,
                close: false,
                stop: true,
                force: false,
            };
            drains.begin(node, Drain::new(&order, SystemTime::UNIX_EPOCH));
        }
        drains.forget("erlmcp2");
        assert!(drains.has("erlmcp1") && !drains.has("erlmcp2"));
        assert_eq!((drains.orders("erlmcp1"), drains.orders("erlmcp2")), (1, 0));
    }
}
