//! What a node is known by while its cluster runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem;

use serde::{Deserialize, Serialize};

use super::cluster::Cluster;

/// The id of a node, and of its server at balancers: from 1, and never given to another node of the
/// same cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The ids that were given to the nodes of a cluster so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeIds {
    by_name: BTreeMap<String, NodeId>,
    /// The last id that was given to any node.
    last: u32,
}

impl NodeIds {
    /// More nodes than any cluster ever had.
    const MOST: u32 = u32::MAX / 2;

    /// Gives every node of `cluster` its id: the one it had before, or a new one. A node that is gone
    /// is forgotten; another one of its name gets a new id.
    pub fn assign(&mut self, cluster: &mut Cluster) {
        let known = mem::take(&mut self.by_name);
        for node in &mut cluster.nodes {
            node.id = known.get(&node.name).copied().unwrap_or_else(|| self.next());
            self.by_name.insert(node.name.clone(), node.id);
        }
    }

    /// Keeps the ids that the nodes of `cluster` have.
    pub fn keep(&mut self, cluster: &Cluster) {
        for node in &cluster.nodes {
            self.by_name.insert(node.name.clone(), node.id);
            self.last = self.last.max(node.id.0);
        }
    }

    /// Whether every node has an id of its own, and all nodes to come can get one.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let different: BTreeSet<NodeId> = self.by_name.values().copied().collect();
        let is_given = |id: &NodeId| (1..=self.last).contains(&id.0);
        different.len() == self.by_name.len() && different.iter().all(is_given) && self.last <= NodeIds::MOST
    }

    // Private

    fn next(&mut self) -> NodeId {
        self.last += 1;
        NodeId(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Source, load};

    /// The ids of the nodes of a cluster with these names.
    fn assigned(ids: &mut NodeIds, names: &[&str]) -> Vec<u32> {
        let mut cluster = load(&Source::read("default").unwrap()).unwrap();
        let first = cluster.nodes[0].clone();
        let nodes = names.iter().map(|name| {
            let mut node = first.clone();
            node.name = (*name).to_owned();
            node
        });
        cluster.nodes = nodes.collect();
        ids.assign(&mut cluster);
        cluster.ids().map(|id| id.0).collect()
    }

    #[test]
    fn a_node_keeps_its_id_and_no_id_is_given_twice() {
        let mut ids = NodeIds::default();
        assert_eq!(assigned(&mut ids, &["a", "b", "c"]), [1, 2, 3]);
        assert_eq!(assigned(&mut ids, &["c", "a", "d"]), [3, 1, 4]);
        assert_eq!(assigned(&mut ids, &["a", "b", "c", "d"]), [1, 5, 3, 4]);
        assert_eq!(assigned(&mut ids, &["a"]), [1]);
        assert_eq!(assigned(&mut ids, &["a", "e"]), [1, 6]);
    }

    #[test]
    fn ids_that_no_cluster_gives_are_not_sound() {
        let ids = |by_name: &[(&str, u32)], last| NodeIds {
            by_name: by_name
                .iter()
                .map(|(name, id)| ((*name).to_owned(), NodeId(*id)))
                .collect(),
            last,
        };
        for sound in [ids(&[], 0), ids(&[], 7), ids(&[("a", 2), ("b", 1)], 2)] {
            assert!(sound.is_sound(), "{sound:?}");
        }
        let twice = ids(&[("a", 1), ("b", 1)], 2);
        for other in [
            twice,
            ids(&[("a", 3)], 2),
            ids(&[("a", 0)], 2),
            ids(&[], u32::MAX),
        ] {
            assert!(!other.is_sound(), "{other:?}");
        }
    }

    #[test]
    fn the_ids_of_a_loaded_cluster_are_positions() {
        let cluster = load(&Source::read("default").unwrap()).unwrap();
        let ids: Vec<u32> = cluster.ids().map(|id| id.0).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
    }
}
