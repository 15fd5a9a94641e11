//! Takes a snapshot of the core.

use std::time::Instant;

use super::{NodeSnapshot, Snapshot};
use crate::observe::Samples;
use crate::profile::Node;
use crate::supervisor::core::Core;
use crate::supervisor::health::node_probes::NodeProbes;
use crate::supervisor::shutdown::ClusterShutdown;
use crate::supervisor::switch::state::Switch;
use crate::supervisor::waves::ChildId;

impl Core {
    /// The state of everything now.
    pub(in crate::supervisor) fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let nodes = self.spec.cluster.nodes.iter();
        let nodes = nodes.map(|node| self.node_snapshot(node, now));
        let balancers = self
            .children
            .ids()
            .filter(|id| matches!(id, ChildId::Balancer(_)));
        Snapshot {
            spec: self.spec.clone(),
            owns_nodes: self.owns_nodes(),
            nodes: nodes.collect(),
            balancers: balancers.map(|id| self.child_snapshot(id)).collect(),
            retired: self
                .children
                .ids()
                .filter_map(|id| match id {
                    ChildId::Retired(kind, _) => Some((kind, self.child_snapshot(id))),
                    ChildId::Node(_) | ChildId::Balancer(_) => None,
                })
                .collect(),
            reloading: self.reloads.is_active() || self.switches.current().is_some(),
            switching_to: self.switches.current().map(Switch::to),
            busy: self.refuse_while_busy().err(),
            balancer_overrides: self.balancer_overrides(),
            stopping: self.shutdown.as_ref().map(ClusterShutdown::sentence),
            unsaved: self.unsaved(),
            host_warnings: self.resolver.warnings().collect(),
            closed: self.closed_listeners(),
            rollout: self
                .rollouts
                .to_api()
                .current
                .or_else(|| self.rebalances.as_rollout()),
            remains: self.rollouts.remains(),
            balanced: self.balanced,
        }
    }

    // Private

    fn node_snapshot(&self, node: &Node, now: Instant) -> NodeSnapshot {
        let id = node.id;
        let probes = self.health.probes(id);
        NodeSnapshot {
            id,
            state: self.node_state(id),
            drained: self.drains.has(&node.name),
            stopped_by_drain: self.drains.has_stopped(&node.name),
            child: self.child_snapshot(ChildId::Node(id)),
            external: self.own_child(id).is_none(),
            eras: self.eras.of(id),
            mcp_problem: self.eras.problem(id),
            probe_failure: probes
                .and_then(NodeProbes::probe_failure)
                .map(ToString::to_string),
            held_for: self.held_for(id, now),
            overridden: self.overridden(id),
            out_of: self.taken_out_of(id),
            samples: probes.map_or_else(Samples::default, |probes| probes.samples(now)),
            failure: self.failure(id, now),
            filling_for: self.health.settlings().filling_for(id, now),
        }
    }
}
