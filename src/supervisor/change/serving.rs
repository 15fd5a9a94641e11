//! The nodes that serve while others are away: a change leaves one of them wherever it can.

use std::collections::BTreeMap;

use crate::api::{ChangeOrder, NodeState, Refusal};
use crate::profile::NodeId;
use crate::supervisor::rollout::steps::{Batches, Work};
use crate::supervisor::snapshot::{NodeSnapshot, Snapshot};
use crate::supervisor::spec::Spec;

/// What a node is for new clients when a change begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It gets them.
    Serves,
    /// It is to get them, but does not serve now.
    Awaited,
    /// It gets none by an order or a setting of others, which the change does not end.
    Away,
}

/// How many nodes a change may take away at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Serving {
    most_away: usize,
    /// The node that is replaced although no other node serves, or is to serve.
    last: Option<NodeId>,
}

/// Groups that are smaller than the order or the profile wants them, so that one node serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Limited {
    /// The wanted and the actual number of nodes that are judged.
    pub(in crate::supervisor) canary: Option<(usize, usize)>,
    /// The wanted and the actual number of nodes of a batch.
    pub(in crate::supervisor) batch: Option<(usize, usize)>,
}

impl Serving {
    /// What serves during `work`, where the nodes are as `snapshot` shows.
    pub(super) fn during(work: &Work, snapshot: &Snapshot) -> Serving {
        let standings = snapshot.nodes.iter().map(|node| {
            let is_drained = node.drained && !snapshot.remains.drained.contains(&node.id);
            (node.id, standing(node, is_drained))
        });
        Serving::new(work, &standings.collect())
    }

    /// The node that is replaced although no other node serves, so that new clients are refused.
    pub(super) const fn last(self) -> Option<NodeId> {
        self.last
    }

    /// The batches, without taking away the last node that serves.
    pub(super) fn limit(self, wanted: Batches) -> Batches {
        Batches {
            canary: wanted.canary.min(self.most_away),
            batch: wanted.batch.min(self.most_away),
        }
    }

    /// What the limit changes for this number of `replaced` nodes.
    pub(super) fn limited(self, wanted: Batches, replaced: usize) -> Limited {
        let limited = self.limit(wanted);
        let changed = |wanted: usize, of: usize, limited: usize| {
            (wanted.min(of) > limited).then_some((wanted, limited))
        };
        Limited {
            canary: changed(wanted.canary, replaced, limited.canary),
            batch: changed(
                wanted.batch,
                replaced.saturating_sub(limited.canary),
                limited.batch,
            ),
        }
    }

    /// Refuses to replace the only node that serves, unless connections are closed for that, which
    /// bounds the time without it, or it is forced.
    pub(super) fn refuse_outage(self, base: &Spec, order: &ChangeOrder) -> Result<(), Refusal> {
        let Some(last) = self.last.filter(|_| !order.close && !order.force) else {
            return Ok(());
        };
        Err(Refusal {
            error: format!("`{}` is the only node that serves", base.node_name(last)),
            hint: Some("`--yes` replaces it nevertheless; new clients are refused meanwhile".to_owned()),
        })
    }

    // Private

    fn new(work: &Work, nodes: &BTreeMap<NodeId, Standing>) -> Serving {
        let with = |standing: Standing| {
            let nodes = nodes.iter().filter(move |(_, its)| **its == standing);
            nodes.map(|(node, _)| *node)
        };
        let becomes_ready = |node: &NodeId| work.unfinished.contains(node);
        let ready = work.added.len() + with(Standing::Awaited).filter(becomes_ready).count();
        let wanted = with(Standing::Serves).count() + with(Standing::Awaited).count() + work.added.len();
        // Where none serves yet, those that are to serve are waited for.
        let serving = match with(Standing::Serves).count() {
            0 => wanted,
            now => now + ready,
        };
        let is_last = |node: &NodeId| wanted == 1 && work.replaced.contains(node);
        Serving {
            most_away: serving.saturating_sub(1).max(1),
            last: with(Standing::Serves).find(is_last),
        }
    }
}

// Private

/// What the node is for new clients; `is_drained` by an operator.
fn standing(node: &NodeSnapshot, is_drained: bool) -> Standing {
    if is_drained || node.stopped_by_drain {
        return Standing::Away;
    }
    match node.state(1) {
        NodeState::Up => Standing::Serves,
        NodeState::Maintenance => Standing::Away,
        _ => Standing::Awaited,
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Awaited, Away, Serves};
    use super::*;

    /// Nodes from 1 on, all of which are replaced.
    fn serving(standings: &[Standing]) -> Serving {
        serving_with(standings, |_| {})
    }

    fn serving_with(standings: &[Standing], change: impl FnOnce(&mut Work)) -> Serving {
        let nodes: BTreeMap<NodeId, Standing> = (1..).map(NodeId).zip(standings.iter().copied()).collect();
        let mut work = Work {
            replaced: nodes.keys().copied().collect(),
            ..Work::default()
        };
        change(&mut work);
        Serving::new(&work, &nodes)
    }

    fn batches(canary: usize, batch: usize) -> Batches {
        Batches { canary, batch }
    }

    #[test]
    fn one_of_the_nodes_that_serve_stays() {
        for (standings, most_away) in [
            (&[Serves; 4][..], 3),
            (&[Serves, Serves, Awaited, Away], 1),
            (&[Serves, Awaited], 1),
            (&[Serves, Away], 1),
            (&[Awaited; 4], 3),
            (&[Serves], 1),
            (&[], 1),
        ] {
            let serving = serving(standings);
            assert_eq!(
                serving.limit(batches(9, 9)),
                batches(most_away, most_away),
                "{standings:?}"
            );
            assert_eq!(serving.limit(batches(0, 1)), batches(0, 1), "{standings:?}");
        }
    }

    #[test]
    fn nodes_that_serve_before_the_replacements_count() {
        let added = serving_with(&[Serves], |work| work.added.push(NodeId(9)));
        assert_eq!((added.most_away, added.last), (1, None));
        let unfinished = serving_with(&[Serves, Serves, Awaited], |work| {
            work.unfinished.extend(work.replaced.pop());
        });
        assert_eq!((unfinished.most_away, unfinished.last), (2, None));
    }

    #[test]
    fn the_last_node_is_one_without_another_that_is_to_serve() {
        for (standings, last) in [
            (&[Serves][..], Some(1)),
            (&[Away, Serves, Away], Some(2)),
            // The rollout waits for it.
            (&[Serves, Awaited], None),
            (&[Serves, Serves], None),
            // Nothing is lost.
            (&[Awaited], None),
            (&[Away], None),
        ] {
            assert_eq!(serving(standings).last(), last.map(NodeId), "{standings:?}");
        }
        let untouched = serving_with(&[Serves], |work| work.replaced.clear());
        assert_eq!(untouched.last(), None);
    }

    #[test]
    fn only_a_limit_that_matters_is_reported() {
        let four = serving(&[Serves; 4]);
        let none = Limited::default();
        for (wanted, replaced, limited) in [
            (batches(1, 3), 4, none),
            // Three are left after the first one.
            (batches(1, 4), 4, none),
            (batches(0, 9), 3, none),
            (
                batches(0, 9),
                4,
                Limited {
                    batch: Some((9, 3)),
                    ..none
                },
            ),
            (
                batches(4, 4),
                4,
                Limited {
                    canary: Some((4, 3)),
                    ..none
                },
            ),
        ] {
            assert_eq!(
                four.limited(wanted, replaced),
                limited,
                "{wanted:?} of {replaced}"
            );
        }
    }
}
