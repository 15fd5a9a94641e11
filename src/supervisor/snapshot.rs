//! The state of everything at one moment, and how the API reports it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::change::Remains;
use super::connection_count::Connections;
use super::eras;
use super::health::node_probes::NodeProbes;
use super::overrides::Overridden;
use super::process::child::{Child, State, Then};
use super::spec::Spec;
use super::waves::ChildId;
use crate::api::{
    self, Balancer, BalancerState, ClusterState, Endpoints, FormerBalancer, Health, Node, NodeState, Refusal,
    Status,
};
use crate::base::version::OWN_VERSION;
use crate::observe::{Facts, Failure, NodeFacts, Samples, alerts, distribution, latency};
use crate::plan::ChosenBy;
use crate::platform::Identity;
use crate::profile::{BalancerKind, NodeId};

/// Everything at one moment.
#[derive(Clone)]
pub(super) struct Snapshot {
    /// The configuration in force at that moment.
    pub(super) spec: Arc<Spec>,
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
    /// That the state file lacks the last changes, and why.
    pub(super) unsaved: Option<String>,
    /// The keys of listeners that others have stopped.
    pub(super) closed: BTreeSet<&'static str>,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct NodeSnapshot {
    pub(super) id: NodeId,
    pub(super) state: NodeState,
    /// Whether an operator has ordered a drain.
    pub(super) drained: bool,
    /// Whether the drain has stopped it.
    pub(super) stopped_by_drain: bool,
    /// Its process, if this supervisor starts it.
    pub(super) child: ChildSnapshot,
    /// Whether the node is external.
    pub(super) external: bool,
    /// The revisions of MCP that it serves; empty while they are not known.
    pub(super) eras: Vec<String>,
    /// What it answers instead of MCP, if it does so.
    pub(super) mcp_problem: Option<String>,
    /// Why it does not answer, as far as that is known.
    pub(super) probe_failure: Option<String>,
    /// Changes that others made to it at the balancer.
    pub(super) overridden: Option<Overridden>,
    /// The keys of listeners whose clients others keep from it.
    pub(super) out_of: BTreeSet<&'static str>,
    /// How much longer it gets no clients because of a recent failure.
    pub(super) held_for: Option<Duration>,
    pub(super) samples: Samples,
    /// Its failure, until it gets clients again.
    pub(super) failure: Option<Failure>,
    /// How long it has had clients again, while it holds fewer than the others because it was away.
    pub(super) filling_for: Option<Duration>,
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

/// The state of a node, by its process, if this supervisor starts it, and by its answers. A drained
/// node is `Draining` whatever its connections.
pub(super) fn node_state(child: Option<&Child>, probes: &NodeProbes, is_drained: bool) -> NodeState {
    let by_probes = match probes.silent_since() {
        Some(_) => NodeState::Down,
        None if probes.is_unknown() => NodeState::Starting,
        None if is_drained => NodeState::Draining,
        None => NodeState::Up,
    };
    match child.map(|child| &child.state) {
        None | Some(State::Up { .. }) => by_probes,
        // A command that waits for the end of the drain must see that the node has not ended yet.
        Some(State::Stopping {
            then: Then::StayStopped,
            ..
        }) if is_drained => NodeState::Draining,
        Some(
            State::Stopping {
                then: Then::StayStopped,
                ..
            }
            | State::Stopped,
        ) => NodeState::Stopped,
        Some(State::Stopping {
            then: Then::Recover, ..
        }) => NodeState::Down,
        Some(
            State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping {
                then: Then::Start, ..
            },
        ) => NodeState::Starting,
        Some(State::Failed) => NodeState::Failed,
    }
}

impl ChildSnapshot {
    fn is_troubled(&self) -> bool {
        matches!(self.activity, Activity::Silent | Activity::Dead)
    }
}

impl NodeSnapshot {
    /// The latencies that the node's failure does not explain.
    fn unexplained(&self) -> Samples {
        let is_failing = self.failure.is_some() || !self.state.answers();
        self.samples.unexplained(is_failing)
    }

    /// The state to show for a node with this number of connections.
    fn state(&self, connections: u64) -> NodeState {
        let own = self.own_state(connections);
        match self.stricter_outside(own) {
            // A node that others made ready in spite of a drain order gets new connections, and is
            // not drained.
            Some(overridden)
                if overridden.state == NodeState::Draining && connections == 0 && !self.drained =>
            {
                NodeState::Drained
            }
            Some(overridden) => overridden.state,
            None => own,
        }
    }

    /// The state by the orders and probes of this supervisor.
    fn own_state(&self, connections: u64) -> NodeState {
        match self.state {
            NodeState::Up if self.held_for.is_some() => NodeState::HeldBack,
            NodeState::Draining if connections == 0 => NodeState::Drained,
            state => state,
        }
    }

    /// The changes by others, if their state is at least as strict as `own`.
    fn stricter_outside(&self, own: NodeState) -> Option<&Overridden> {
        let overridden = self.overridden.as_ref();
        overridden.filter(|overridden| strictness(overridden.state) >= strictness(own))
    }

    /// Why the node is not up.
    fn reason(&self) -> Option<String> {
        if let Some(overridden) = self.stricter_outside(self.own_state(1)) {
            return Some(overridden.reason.clone());
        }
        match (self.state, self.held_for) {
            (NodeState::Up, Some(Duration::ZERO)) => {
                Some("held back until the balancer has accepted that it answers".to_owned())
            }
            (NodeState::Up, Some(left)) => {
                let seconds = left.as_millis().div_ceil(1_000);
                Some(format!(
                    "held back for {seconds} s: its former clients find another node first"
                ))
            }
            (NodeState::Up, None) => self.child.note.clone(),
            // A drain by an order needs no reason, and an earlier death of the process no longer
            // matters.
            (NodeState::Draining, _) => None,
            (NodeState::Down, _) => self.child.reason.clone().or_else(|| self.probe_failure.clone()),
            (NodeState::Starting, _) if self.external => self.probe_failure.clone(),
            _ => self.child.reason.clone(),
        }
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
                .chain(self.unsaved.clone())
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

    /// The balancer instances in trouble: their names, and the trouble.
    fn broken(&self, spec: &Spec) -> impl Iterator<Item = (String, String)> {
        let balancers = self.balancers.iter().enumerate();
        let broken = balancers.filter(|(_, child)| self.balanced && child.is_troubled());
        broken.map(|(index, child)| {
            let what = match (child.activity, &child.reason) {
                (Activity::Silent, _) => "runs but does not answer".to_owned(),
                (_, Some(reason)) => format!("does not run: {reason}"),
                (_, None) => "does not run".to_owned(),
            };
            (spec.title(ChildId::Balancer(index)), what)
        })
    }

    /// Whether a balancer instance has died, or does not answer.
    fn is_troubled(&self) -> bool {
        self.balancers.iter().any(ChildSnapshot::is_troubled)
    }

    /// The troubles of balancer instances, where there are several instances.
    fn troubles(&self, spec: &Spec) -> impl Iterator<Item = String> {
        let broken = self.broken(spec).filter(|_| self.balancers.len() > 1);
        broken.map(|(name, what)| format!("{name} {what}"))
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

    fn balancer(&self, spec: &Spec) -> Balancer {
        let all = |activity| self.balancers.iter().all(|child| child.activity == activity);
        let any = |activity| self.balancers.iter().any(|child| child.activity == activity);
        let state = match () {
            () if !self.balanced || all(Activity::Idle) => BalancerState::Stopped,
            () if self.is_troubled() && !any(Activity::Serving) => BalancerState::Failed,
            () if any(Activity::Stopping) => BalancerState::Stopped,
            // Where there are several instances, the others serve the clients of one in trouble.
            () if (all(Activity::Serving) || self.is_troubled()) && !self.reloading => BalancerState::Running,
            () => BalancerState::Reloading,
        };
        let stats_sockets = spec.sockets();
        Balancer {
            kind: spec.balancer.kind(),
            version: spec.balancer.version().to_owned(),
            state,
            switching_to: self.switching_to,
            pids: self
                .balancers
                .iter()
                .chain(self.retired.iter().map(|(_, child)| child))
                .filter_map(|child| child.process)
                .map(|process| process.pid)
                .collect(),
            former: self.former(),
            restarts: self.balancers.iter().map(|child| child.restarts).sum(),
            uptime_seconds: self
                .balancers
                .iter()
                .map(|child| child.uptime_seconds)
                .max()
                .unwrap_or(0),
            endpoints: endpoints(spec, stats_sockets.first().cloned()),
            stats_sockets,
            overrides: self.balancer_overrides.clone(),
            chosen_by: chosen_by(spec),
        }
    }

    /// The balancer processes that accept no connections any more.
    fn former(&self) -> Vec<FormerBalancer> {
        let former = self.retired.iter().filter_map(|(kind, child)| {
            Some(FormerBalancer {
                kind: *kind,
                pid: child.process?.pid,
                connections: None,
            })
        });
        former.collect()
    }
}

// Private

/// How strict a state is: of two states of a node, the stricter one counts.
const fn strictness(state: NodeState) -> u8 {
    match state {
        NodeState::Up => 0,
        NodeState::HeldBack => 1,
        NodeState::Drained => 2,
        NodeState::Draining => 3,
        NodeState::Maintenance => 4,
        NodeState::Starting => 5,
        NodeState::Down => 6,
        NodeState::Stopped => 7,
        NodeState::Failed => 8,
    }
}

fn chosen_by(spec: &Spec) -> BTreeMap<String, ChosenBy> {
    let listeners = spec.cluster.listen.ports();
    listeners
        .filter_map(|(key, _)| Some((key.to_owned(), spec.balancer.chosen_by(spec.deployment(), key)?)))
        .collect()
}

fn endpoints(spec: &Spec, stats_socket: Option<std::path::PathBuf>) -> Endpoints {
    let listen = &spec.cluster.listen;
    let clients = listen
        .ports()
        .map(|(key, port)| (key.to_owned(), listen.reachable(port)));
    let paths = listen.ports().filter_map(|(key, _)| {
        let path = spec.cluster.path_behind(key)?;
        Some((key.to_owned(), path.to_owned()))
    });
    let pages = listen.pages().map(|(key, address)| (key.to_owned(), address));
    Endpoints {
        listeners: clients.chain(pages).collect(),
        paths: paths.collect(),
        stats_socket,
        status_socket: spec.balancer.status_socket(spec.deployment()),
    }
}
