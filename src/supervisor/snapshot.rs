//! The state of everything at one moment, and how the API reports it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::health::node_probes::NodeProbes;
use super::overrides::Outside;
use super::process::child::{Child, State, Then};
use super::rollout::Who;
use super::spec::Spec;
use crate::api::{
    Balancer, BalancerState, ClusterState, ConnectionsBy, Endpoints, Health, Node, NodeState, Status,
};
use crate::observe::{Facts, Failure, NodeFacts, Samples, alerts, distribution, latency};
use crate::plan::ChosenBy;
use crate::platform::Identity;

/// Everything at one moment.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) nodes: Vec<NodeSnapshot>,
    pub(super) balancers: Vec<ChildSnapshot>,
    /// Former balancer instances that still have connections.
    pub(super) retired: Vec<ChildSnapshot>,
    /// Whether a new instance is about to take over.
    pub(super) reloading: bool,
    /// Whether a balancer is wanted at all.
    pub(super) balanced: bool,
    /// Changes that others made to the balancer itself, as sentences.
    pub(super) tampering: Vec<String>,
    /// The keys of listeners that others have stopped.
    pub(super) closed: BTreeSet<&'static str>,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct NodeSnapshot {
    pub(super) state: NodeState,
    /// Whether an operator has ordered a drain.
    pub(super) drained: bool,
    /// Its process, if this supervisor starts it.
    pub(super) child: ChildSnapshot,
    /// Whether the node is external.
    pub(super) external: bool,
    /// Why it does not answer, as far as that is known.
    pub(super) ailment: Option<String>,
    /// Changes that others made to it at the balancer.
    pub(super) outside: Option<Outside>,
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
    pub(super) doing: Doing,
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
pub(super) enum Doing {
    /// Nothing: it was not started, or an order stopped it.
    #[default]
    Resting,
    /// It is starting.
    Coming,
    /// It serves.
    Serving,
    /// It runs but does not answer.
    Silent,
    /// It is being stopped.
    Ending,
    /// It died, and does not serve again yet.
    Dead,
}

/// The state of a node, by its process, if this supervisor starts it, and by its answers. A drained
/// node is `Draining` whatever its connections.
pub(super) fn node_state(child: Option<&Child>, vitals: &NodeProbes, is_drained: bool) -> NodeState {
    let heard = match vitals.silent_since() {
        Some(_) => NodeState::Down,
        None if vitals.is_unheard() => NodeState::Starting,
        None if is_drained => NodeState::Draining,
        None => NodeState::Up,
    };
    match child.map(|child| &child.state) {
        None | Some(State::Up { .. }) => heard,
        // A command that waits for the end of the drain must see that the node has not ended yet.
        Some(State::Stopping { then: Then::Rest, .. }) if is_drained => NodeState::Draining,
        Some(State::Stopping { then: Then::Rest, .. } | State::Stopped) => NodeState::Stopped,
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
        matches!(self.doing, Doing::Silent | Doing::Dead)
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
            Some(outside) if outside.state == NodeState::Draining && connections == 0 && !self.drained => {
                NodeState::Drained
            }
            Some(outside) => outside.state,
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
    fn stricter_outside(&self, own: NodeState) -> Option<&Outside> {
        let outside = self.outside.as_ref();
        outside.filter(|outside| strictness(outside.state) >= strictness(own))
    }

    /// Why the node is not up.
    fn reason(&self) -> Option<String> {
        if let Some(outside) = self.stricter_outside(self.own_state(1)) {
            return Some(outside.reason.clone());
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
            (NodeState::Down, _) => self.child.reason.clone().or_else(|| self.ailment.clone()),
            (NodeState::Starting, _) if self.external => self.ailment.clone(),
            _ => self.child.reason.clone(),
        }
    }
}

impl Snapshot {
    /// The pids of every child's process, and of this one.
    pub(super) fn pids(&self) -> BTreeSet<u32> {
        let nodes = self.nodes.iter().map(|node| &node.child);
        let all = nodes.chain(&self.balancers).chain(&self.retired);
        all.filter_map(|child| child.process)
            .map(|process| process.pid)
            .chain([std::process::id()])
            .collect()
    }

    /// Whether a node is being drained.
    pub(super) fn drains(&self) -> bool {
        self.nodes.iter().any(|node| node.drained)
    }

    /// For each node, the keys of listeners whose clients others keep from it.
    pub(super) fn out_of(&self) -> Vec<BTreeSet<&'static str>> {
        self.nodes.iter().map(|node| node.out_of.clone()).collect()
    }

    /// The status, with connections as the kernel counts them.
    pub(super) fn status(&self, setting: &Spec, connections: &[ConnectionsBy]) -> Status {
        let nodes: Vec<Node> = self.nodes(setting, connections);
        let balancer = self.balancer(setting);
        Status {
            cluster: setting.cluster.name.clone(),
            state: self.state(setting, &balancer, &nodes),
            balancer: Some(balancer),
            distribution: distribution(&setting.cluster, &nodes, u64::from(setting.plan.capacity)),
            nodes,
            warnings: self
                .troubles(setting)
                .chain(self.tampering.iter().cloned())
                .chain(setting.plan.warnings.iter().map(ToString::to_string))
                .collect(),
        }
    }

    /// The health, with connections as the kernel counts them.
    pub(super) fn health(&self, setting: &Spec, connections: &[ConnectionsBy]) -> Health {
        let status = self.status(setting, connections);
        let target = setting.cluster.targets.p99;
        let names = || setting.cluster.nodes.iter().map(|node| node.name.as_str());
        let unexplained: Vec<Samples> = self.nodes.iter().map(NodeSnapshot::unexplained).collect();
        let judged = latency(names().zip(&unexplained), target);
        let latency = latency(names().zip(self.nodes.iter().map(|node| &node.samples)), target);
        let alerts = alerts(&setting.cluster.targets, &status, &judged, &self.facts(setting));
        Health {
            status,
            latency,
            alerts,
        }
    }

    // Private

    /// The input of alerts, beside what the status shows.
    fn facts(&self, setting: &Spec) -> Facts {
        let nodes = self.nodes.iter().map(|node| NodeFacts {
            failure: node.failure.clone(),
            is_set_outside: node.stricter_outside(node.own_state(1)).is_some(),
        });
        Facts {
            nodes: nodes.collect(),
            balancers: self.broken(setting).collect(),
            outside: self.tampering.clone(),
        }
    }

    /// The balancer instances in trouble: their names, and the trouble.
    fn broken(&self, setting: &Spec) -> impl Iterator<Item = (String, String)> {
        let balancers = self.balancers.iter().enumerate();
        let broken = balancers.filter(|(_, child)| self.balanced && child.is_troubled());
        broken.map(|(index, child)| {
            let what = match (child.doing, &child.reason) {
                (Doing::Silent, _) => "runs but does not answer".to_owned(),
                (_, Some(reason)) => format!("does not run: {reason}"),
                (_, None) => "does not run".to_owned(),
            };
            (setting.title(Who::Balancer(index)), what)
        })
    }

    /// Whether a balancer instance has died, or does not answer.
    fn is_troubled(&self) -> bool {
        self.balancers.iter().any(ChildSnapshot::is_troubled)
    }

    /// The troubles of balancer instances, where there are several instances.
    fn troubles(&self, setting: &Spec) -> impl Iterator<Item = String> {
        let broken = self.broken(setting).filter(|_| self.balancers.len() > 1);
        broken.map(|(name, what)| format!("{name} {what}"))
    }

    fn state(&self, setting: &Spec, balancer: &Balancer, nodes: &[Node]) -> ClusterState {
        let as_ordered = |(node, look): (&Node, &NodeSnapshot)| match node.state {
            NodeState::Up => true,
            NodeState::Draining | NodeState::Drained | NodeState::Stopped => {
                look.drained && look.outside.is_none()
            }
            _ => false,
        };
        let is_served = if self.balanced {
            balancer.state.serves() && self.is_any_listener_served(setting, nodes)
        } else {
            nodes.iter().any(|node| node.state.answers())
        };
        match () {
            () if !is_served => ClusterState::Down,
            () if balancer.state.serves()
                && !self.is_troubled()
                && self.tampering.is_empty()
                && nodes.iter().zip(&self.nodes).all(as_ordered) =>
            {
                ClusterState::Healthy
            }
            () => ClusterState::Degraded,
        }
    }

    /// Whether the clients of at least one listener have a node that serves.
    fn is_any_listener_served(&self, setting: &Spec, nodes: &[Node]) -> bool {
        let mut keys = setting.cluster.listen.ports().map(|(key, _)| key);
        keys.any(|key| {
            let serves = |(node, look): (&Node, &NodeSnapshot)| {
                let own = look.own_state(node.connections);
                matches!(own, NodeState::Up | NodeState::HeldBack | NodeState::Draining)
                    && !look.out_of.contains(key)
            };
            !self.closed.contains(key) && nodes.iter().zip(&self.nodes).any(serves)
        })
    }

    fn nodes(&self, setting: &Spec, connections: &[ConnectionsBy]) -> Vec<Node> {
        let counts = connections
            .iter()
            .copied()
            .chain(std::iter::repeat(ConnectionsBy::default()));
        let looks = self.nodes.iter().zip(counts);
        setting
            .cluster
            .nodes
            .iter()
            .zip(looks)
            .map(|(node, (look, connections_by))| Node {
                name: node.name.clone(),
                state: look.state(connections_by.tcp + connections_by.http),
                answers: look.state.answers(),
                pid: look.child.process.map(|process| process.pid),
                external: look.external,
                elsewhere: look.external,
                restarts: look.child.restarts,
                tcp: node.tcp,
                http: node.http,
                connections: connections_by.tcp + connections_by.http,
                connections_by,
                memory_bytes: look.child.memory_bytes,
                cpu_percent: look.child.cpu_percent,
                uptime_seconds: look.child.uptime_seconds,
                reason: look.reason(),
                filling_seconds: look.filling_for.map(|time| time.as_secs()),
                erlang: None,
            })
            .collect()
    }

    fn balancer(&self, setting: &Spec) -> Balancer {
        let all = |doing| self.balancers.iter().all(|child| child.doing == doing);
        let any = |doing| self.balancers.iter().any(|child| child.doing == doing);
        let state = match () {
            () if !self.balanced || all(Doing::Resting) => BalancerState::Stopped,
            () if self.is_troubled() && !any(Doing::Serving) => BalancerState::Failed,
            () if any(Doing::Ending) => BalancerState::Stopped,
            // Where there are several instances, the others serve the clients of one in trouble.
            () if (all(Doing::Serving) || self.is_troubled()) && !self.reloading => BalancerState::Running,
            () => BalancerState::Reloading,
        };
        let stats_sockets = setting.sockets();
        Balancer {
            kind: setting.balancer.kind(),
            state,
            pids: self
                .balancers
                .iter()
                .chain(&self.retired)
                .filter_map(|child| child.process)
                .map(|process| process.pid)
                .collect(),
            restarts: self.balancers.iter().map(|child| child.restarts).sum(),
            uptime_seconds: self
                .balancers
                .iter()
                .map(|child| child.uptime_seconds)
                .max()
                .unwrap_or(0),
            endpoints: endpoints(setting, stats_sockets.first().cloned()),
            stats_sockets,
            overrides: self.tampering.clone(),
            chosen_by: chosen_by(setting),
        }
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

fn chosen_by(setting: &Spec) -> BTreeMap<String, ChosenBy> {
    let listeners = setting.cluster.listen.ports();
    listeners
        .filter_map(|(key, _)| {
            Some((
                key.to_owned(),
                setting.balancer.chosen_by(setting.deployment(), key)?,
            ))
        })
        .collect()
}

fn endpoints(setting: &Spec, stats_socket: Option<std::path::PathBuf>) -> Endpoints {
    let listen = &setting.cluster.listen;
    let clients = listen
        .ports()
        .map(|(key, port)| (key.to_owned(), listen.reachable(port)));
    let pages = listen.pages().map(|(key, address)| (key.to_owned(), address));
    Endpoints {
        listeners: clients.chain(pages).collect(),
        stats_socket,
        status_socket: setting.balancer.status_socket(&setting.run_dir),
    }
}
