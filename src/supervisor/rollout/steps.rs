//! The steps of a rollout.

use std::collections::{BTreeMap, BTreeSet};

use crate::profile::NodeId;

/// One step; the next one begins when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Step {
    /// The balancer gets the nodes that there are now.
    Apply,
    /// All nodes but these serve, unless these do not answer anyway.
    AwaitOthers(Vec<NodeId>),
    /// The new nodes serve, so that others can go; after a while it is enough that one of them does.
    AwaitAdded(Vec<NodeId>),
    /// The nodes get no new clients, and have no connections any more.
    Drain(Vec<NodeId>),
    /// The nodes are stopped.
    Stop(Vec<NodeId>),
    /// The nodes are described by the target from here on.
    UseTarget(Vec<NodeId>),
    /// The nodes start, and answer.
    Start(Vec<NodeId>),
    /// The nodes get clients again.
    Ready(Vec<NodeId>),
    /// The nodes are judged by what they do with their clients.
    Judge(Vec<NodeId>),
    /// The nodes are not part of the cluster any more.
    Forget(Vec<NodeId>),
}

/// What a rollout has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Work {
    /// Nodes that are new.
    pub(in crate::supervisor) added: Vec<NodeId>,
    /// Nodes that an earlier rollout has drained, and whose description is that of the target.
    pub(in crate::supervisor) unfinished: Vec<NodeId>,
    /// Nodes that are started again from another description, or once more from the same one.
    pub(in crate::supervisor) replaced: Vec<NodeId>,
    /// Nodes that go.
    pub(in crate::supervisor) removed: Vec<NodeId>,
    /// Nodes that this cluster neither starts nor stops.
    pub(in crate::supervisor) external: BTreeSet<NodeId>,
    /// Replaced nodes that operators have drained: they get no clients afterwards, either.
    pub(in crate::supervisor) drained: BTreeSet<NodeId>,
    /// Replaced nodes that operators have stopped: they are not started.
    pub(in crate::supervisor) stopped: BTreeSet<NodeId>,
    /// Replaced nodes that have other addresses afterwards.
    pub(in crate::supervisor) moved: BTreeSet<NodeId>,
}

/// How replaced nodes are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct Batches {
    /// Nodes that are replaced first and judged; 0: none.
    pub(in crate::supervisor) canary: usize,
    /// Nodes that are replaced at a time after that.
    pub(in crate::supervisor) batch: usize,
}

impl Work {
    /// Whether only the balancer has anything to do.
    pub(in crate::supervisor) fn is_empty(&self) -> bool {
        self.nodes().next().is_none()
    }

    /// Every node that takes part.
    pub(in crate::supervisor) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let lists = [&self.added, &self.unfinished, &self.replaced, &self.removed];
        lists.into_iter().flatten().copied()
    }

    /// Puts the replaced nodes into the order in which they are replaced. Those that do not answer come
    /// first: taking them away costs nothing. Those that get no clients by an operator's order come
    /// last: clients show nothing about them.
    pub(in crate::supervisor) fn sort_replaced(&mut self, answering: &BTreeSet<NodeId>) {
        let is_kept = |node: &NodeId| self.drained.contains(node) || self.stopped.contains(node);
        self.replaced
            .sort_by_key(|node| (is_kept(node), answering.contains(node)));
    }

    /// Puts each replaced node behind those that it awaits, and otherwise leaves the order as it
    /// is. Returns the nodes that await one another.
    pub(in crate::supervisor) fn put_behind(
        &mut self,
        awaited: &BTreeMap<NodeId, BTreeSet<NodeId>>,
    ) -> BTreeSet<NodeId> {
        let mut left = std::mem::take(&mut self.replaced);
        while let Some(at) = left.iter().position(|node| {
            let awaited = awaited.get(node).into_iter().flatten();
            !awaited.into_iter().any(|other| left.contains(other))
        }) {
            self.replaced.push(left.remove(at));
        }
        self.replaced.extend(&left);
        left.into_iter().collect()
    }

    /// The steps, in order.
    pub(in crate::supervisor) fn steps(&self, batches: Batches) -> Vec<Step> {
        let mut steps = vec![Step::Apply];
        steps.push(Step::Start(self.own(&self.added)));
        steps.push(Step::Start(self.own(&self.unfinished)));
        steps.push(Step::Ready(self.unfinished.clone()));
        let (canary, others) = self.replaced.split_at(batches.canary.min(self.replaced.len()));
        if !canary.is_empty() {
            self.replace(canary, &mut steps);
            steps.push(Step::Judge(self.serving(canary)));
        }
        for batch in others.chunks(batches.batch.max(1)) {
            self.replace(batch, &mut steps);
        }
        if !self.removed.is_empty() {
            steps.push(Step::AwaitAdded(self.added.clone()));
            steps.push(Step::Drain(self.removed.clone()));
            steps.push(Step::Stop(self.own(&self.removed)));
            steps.push(Step::Forget(self.removed.clone()));
            steps.push(Step::Apply);
        }
        steps.retain(|step| step.nodes().is_none_or(|nodes| !nodes.is_empty()));
        steps
    }

    // Private

    fn replace(&self, batch: &[NodeId], steps: &mut Vec<Step>) {
        let all = batch.to_vec();
        let running = without(batch, &self.stopped);
        steps.extend([
            Step::AwaitOthers(self.serving(batch)),
            Step::Drain(running.clone()),
            Step::Stop(self.own(&running)),
            Step::UseTarget(all.clone()),
        ]);
        if all.iter().any(|node| self.moved.contains(node)) {
            steps.push(Step::Apply);
        }
        steps.push(Step::Start(self.own(&running)));
        steps.push(Step::Ready(self.serving(batch)));
    }

    fn own(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        without(nodes, &self.external)
    }

    /// Those of the nodes that get clients afterwards.
    fn serving(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        without(&without(nodes, &self.drained), &self.stopped)
    }
}

impl Step {
    /// The nodes that the step is about; `None` for one about the balancer.
    pub(in crate::supervisor) fn nodes(&self) -> Option<&[NodeId]> {
        match self {
            Step::Apply => None,
            Step::AwaitOthers(nodes)
            | Step::AwaitAdded(nodes)
            | Step::Drain(nodes)
            | Step::Stop(nodes)
            | Step::UseTarget(nodes)
            | Step::Start(nodes)
            | Step::Ready(nodes)
            | Step::Judge(nodes)
            | Step::Forget(nodes) => Some(nodes),
        }
    }

    /// Whether the nodes are still to be handled when this step is to come.
    const fn handles(&self) -> bool {
        !matches!(
            self,
            Step::Apply | Step::AwaitOthers(_) | Step::AwaitAdded(_) | Step::Forget(_)
        )
    }
}

/// The nodes that these steps still handle.
pub(in crate::supervisor) fn handled<'a>(steps: impl IntoIterator<Item = &'a Step>) -> BTreeSet<NodeId> {
    let steps = steps.into_iter().filter(|step| step.handles());
    steps.filter_map(Step::nodes).flatten().copied().collect()
}

// Private

fn without(nodes: &[NodeId], left_out: &BTreeSet<NodeId>) -> Vec<NodeId> {
    nodes
        .iter()
        .copied()
        .filter(|node| !left_out.contains(node))
        .collect()
}
