//! The state of everything at one moment, and how the API reports it.

mod balancer;
mod capture;
mod node;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use self::node::{NodeSnapshot, node_state};
use super::change::Remains;
use super::connection_count::Connections;
use super::eras;
use super::spec::Spec;
use crate::api::{self, Balancer, ClusterState, Health, Node, NodeState, Refusal, Status};
use crate::base::version::OWN_VERSION;
use crate::observe::{Facts, NodeFacts, Samples, alerts, distribution, latency};
use crate::platform::Identity;
use crate::profile::BalancerKind;

/// Everything at one moment.
#[derive(Clone)]
pub(super) struct Snapshot {
    /// The configuration in force at that moment.
    pub(super) spec: Arc<Spec>,
    /// Whether nodes are children of this supervisor, unless the profile makes them external.
    pub(super) owns_nodes: bool,
    /// The nodes of the cluster, in their order.
    pub(super) nodes: Vec<NodeSnapshot>,
    pub(super) balancers: Vec<ChildSnapshot>,
    /// Former balancer instances that still have connections.
    pub(super) retired: Vec<(BalancerKind, ChildSnapshot)>,
    /// The balancer that is about to take over.
    pub(super) switching_to: Option<BalancerKind>,
    /// Whether a new instance is about to take over.
    pub(super) reloading: bool,
    /// Why no switch and no reload can begin now.
    pub(super) busy: Option<Refusal>,
    /// The rollout that goes on, or has stopped.
    pub(super) rollout: Option<api::Rollout>,
    /// What is left of it, for the next one.
    pub(super) remains: Remains,
    /// Whether a balancer is wanted at all.
    pub(super) balanced: bool,
    /// Changes that others made to the balancer itself, as sentences.
    pub(super) balancer_overrides: Vec<String>,
    /// That the cluster is being stopped, and what clients find meanwhile.
    pub(super) stopping: Option<&'static str>,
    /// That the state file lacks the last changes, and why.
    pub(super) unsaved: Option<String>,
    /// What is wrong with host names of nodes, as sentences.
    pub(super) host_warnings: Vec<String>,
    /// The keys of listeners that others have stopped.
    pub(super) closed: BTreeSet<&'static str>,
}

/// One process.
#[derive(Clone, Debug, Default)]
pub(super) struct ChildSnapshot {
    pub(super) process: Option<Identity>,
    pub(super) activity: Activity,
    pub(super) restarts: u32,
    pub(super) reason: Option<String>,
    /// A remark about a process that serves.
    pub(super) note: Option<String>,
    pub(super) memory_bytes: u64,
    pub(super) cpu_percent: f64,
    pub(super) uptime_seconds: u64,
}

/// What a process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Activity {
    /// Nothing: it was not started, or an order stopped it.
    #[default]
    Idle,
    /// It is starting.
    Starting,
    /// It serves.
    Serving,
    /// It runs but does not answer.
    Silent,
    /// It is being stopped.
    Stopping,
    /// It died, and does not serve again yet.
    Dead,
}

impl ChildSnapshot {
    fn is_troubled(&self) -> bool {
        matches!(self.activity, Activity::Silent | Activity::Dead)
    }
}

impl Snapshot {
    /// The pids of every child's process, and of this one.
    pub(super) fn pids(&self) -> BTreeSet<u32> {
        let nodes = self.nodes.iter().map(|node| &node.child);
        let retired = self.retired.iter().map(|(_, child)| child);
        let all = nodes.chain(&self.balancers).chain(retired);
        all.filter_map(|child| child.process)
            .map(|process| process.pid)
            .chain([std::process::id()])
            .collect()
    }

    /// Whether a node is being drained.
    pub(super) fn drains(&self) -> bool {
        self.nodes.iter().any(|node| node.drained)
    }

    /// What others have set at the balancer, and what another one will therefore not have.
    pub(super) fn settings_by_others(&self, spec: &Spec) -> Option<String> {
        let nodes = spec.cluster.nodes.iter().zip(&self.nodes);
        let nodes = nodes.filter_map(|(node, it)| {
            let found = it.overridden.as_ref()?;
            Some(format!("{}: {}", node.name, found.reason))
        });
        let all: Vec<String> = self.balancer_overrides.iter().cloned().chain(nodes).collect();
        let kind = spec.balancer.kind();
        (!all.is_empty()).then(|| format!("what others have set at {kind} ends with it: {}", all.join("; ")))
    }

    /// For each node, the keys of listeners whose clients others keep from it.
    pub(super) fn out_of(&self) -> Vec<BTreeSet<&'static str>> {
        self.nodes.iter().map(|node| node.out_of.clone()).collect()
    }

    /// The status, with connections as the kernel counts them.
    pub(super) fn status(&self, spec: &Spec, connections: &Connections) -> Status {
        let nodes: Vec<Node> = self.nodes(spec, connections);
        let balancer = self.balancer(spec);
        Status {
            cluster: spec.cluster.name.clone(),
            version: OWN_VERSION.to_owned(),
            state: self.state(spec, &balancer, &nodes),
            balancer: Some(balancer),
            rollout: self.rollout.clone(),
            distribution: distribution(&spec.cluster, &nodes, u64::from(spec.plan.capacity)),
            nodes,
            warnings: self
                .troubles(spec)
                .chain(self.stopping.map(str::to_owned))
                .chain(self.unsaved.clone())
                .chain(self.host_warnings.iter().cloned())
                .chain(self.balancer_overrides.iter().cloned())
                .chain(self.era_warnings(spec))
                .chain(spec.plan.warnings.iter().map(ToString::to_string))
                .collect(),
        }
    }

    /// The health, with connections as the kernel counts them.
    pub(super) fn health(&self, spec: &Spec, connections: &Connections) -> Health {
        let status = self.status(spec, connections);
        let target = spec.cluster.targets.p99;
        let names = || spec.cluster.nodes.iter().map(|node| node.name.as_str());
        let unexplained: Vec<Samples> = self.nodes.iter().map(NodeSnapshot::unexplained).collect();
        let judged = latency(names().zip(&unexplained), target);
        let latency = latency(names().zip(self.nodes.iter().map(|node| &node.samples)), target);
        let alerts = alerts(&spec.cluster.targets, &status, &judged, &self.facts(spec));
        Health {
            status,
            latency,
            alerts,
        }
    }

    // Private

    /// The input of alerts, beside what the status shows.
    fn facts(&self, spec: &Spec) -> Facts {
        let nodes = self.nodes.iter().map(|node| NodeFacts {
            failure: node.failure.clone(),
            is_set_outside: node.stricter_outside(node.own_state(1)).is_some(),
        });
        Facts {
            nodes: nodes.collect(),
            balancers: self.broken(spec).collect(),
            outside: self.balancer_overrides.clone(),
        }
    }

    fn state(&self, spec: &Spec, balancer: &Balancer, nodes: &[Node]) -> ClusterState {
        let as_ordered = |(node, snapshot): (&Node, &NodeSnapshot)| match node.state {
            NodeState::Up => true,
            NodeState::Draining | NodeState::Drained | NodeState::Stopped => {
                snapshot.drained && snapshot.overridden.is_none()
            }
            _ => false,
        };
        let is_served = if self.balanced {
            balancer.state.serves() && self.is_any_listener_served(spec, nodes)
        } else {
            nodes.iter().any(|node| node.state.answers())
        };
        match () {
            () if !is_served => ClusterState::Down,
            () if balancer.state.serves()
                && !self.is_troubled()
                && self.balancer_overrides.is_empty()
                && nodes.iter().zip(&self.nodes).all(as_ordered) =>
            {
                ClusterState::Healthy
            }
            () => ClusterState::Degraded,
        }
    }

    /// Whether the clients of at least one listener have a node that serves.
    fn is_any_listener_served(&self, spec: &Spec, nodes: &[Node]) -> bool {
        let mut keys = spec.cluster.listen.ports().map(|(key, _)| key);
        keys.any(|key| {
            let serves = |(node, snapshot): (&Node, &NodeSnapshot)| {
                let own = snapshot.own_state(node.connections);
                matches!(own, NodeState::Up | NodeState::HeldBack | NodeState::Draining)
                    && !snapshot.out_of.contains(key)
            };
            !self.closed.contains(key) && nodes.iter().zip(&self.nodes).any(serves)
        })
    }

    fn nodes(&self, spec: &Spec, connections: &Connections) -> Vec<Node> {
        let connections_of = |node| connections.get(&node).copied().unwrap_or_default();
        spec.cluster
            .nodes
            .iter()
            .map(|node| (node, connections_of(node.id)))
            .zip(&self.nodes)
            .map(|((node, connections_by), snapshot)| Node {
                name: node.name.clone(),
                state: snapshot.state(connections_by.tcp + connections_by.http),
                answers: snapshot.state.answers(),
                pid: snapshot.child.process.map(|process| process.pid),
                external: snapshot.external,
                elsewhere: snapshot.external,
                restarts: snapshot.child.restarts,
                tcp: node.tcp,
                http: node.http,
                eras: snapshot.eras.clone(),
                mcp_problem: snapshot.mcp_problem.clone(),
                connections: connections_by.tcp + connections_by.http,
                connections_by,
                memory_bytes: snapshot.child.memory_bytes,
                cpu_percent: snapshot.child.cpu_percent,
                uptime_seconds: snapshot.child.uptime_seconds,
                reason: snapshot.reason(),
                filling_seconds: snapshot.filling_for.map(|time| time.as_secs()),
                erlang: None,
            })
            .collect()
    }

    fn era_warnings(&self, spec: &Spec) -> Vec<String> {
        let nodes = spec.cluster.nodes.iter().zip(&self.nodes);
        eras::warnings(nodes.map(|(node, snapshot)| {
            (
                node.name.as_str(),
                snapshot.eras.as_slice(),
                snapshot.mcp_problem.as_deref(),
            )
        }))
    }
}
