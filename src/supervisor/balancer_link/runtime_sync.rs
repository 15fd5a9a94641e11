//! Sends the desired state of each node to one balancer instance, in order, until it accepts it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::balancer::{Away, Expected, Inspection};
use crate::haproxy_api::{RuntimeError, ServerHealth, Socket};
use crate::plan::PROBE_SOURCE;
use crate::probe::{Probe, Question};
use crate::supervisor::event::{CoreEvent, EventSender};
use crate::supervisor::health::liveness::ANSWER_TIMEOUT;
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::ChildId;

/// Time after which a state that the balancer did not accept is sent again.
pub(in crate::supervisor) const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The health of a node as it is sent to the balancer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) enum NodeHealth {
    /// Not known: nothing is sent.
    #[default]
    Unknown,
    /// The previous supervisor reported the node down, and this one does not know its state yet.
    /// Nothing is sent to a balancer with its own checks, because it may know better. A balancer
    /// that reads files keeps treating the node as down.
    InheritedDown,
    /// The node serves.
    Up,
    /// The node answers but must not get clients yet. The balancer's own checks would raise it, so
    /// this state is sent again before they can.
    HeldDown,
    /// The node does not serve.
    Down,
}

/// The desired state of a node at the balancer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct DesiredState {
    pub(in crate::supervisor) health: NodeHealth,
    /// Whether the node must get no new connections or sessions.
    pub(in crate::supervisor) drained: bool,
    /// How many orders an operator has given about the node: the same order given again is carried
    /// out again.
    pub(in crate::supervisor) orders: u32,
}

/// The desired state of each node at the balancer, by name.
pub(in crate::supervisor) type DesiredStates = BTreeMap<String, DesiredState>;

impl NodeHealth {
    /// The name in logs.
    const fn name(self) -> &'static str {
        match self {
            NodeHealth::Unknown => "unknown",
            NodeHealth::InheritedDown => "inherited-down",
            NodeHealth::Up => "up",
            NodeHealth::HeldDown => "held-down",
            NodeHealth::Down => "down",
        }
    }

    /// Whether a balancer with this state sends the node nothing and has closed its sessions.
    pub(in crate::supervisor) fn is_down(self) -> bool {
        match self {
            NodeHealth::HeldDown | NodeHealth::Down => true,
            NodeHealth::Unknown | NodeHealth::InheritedDown | NodeHealth::Up => false,
        }
    }

    /// Whether a balancer that reads files, or has yet to start, must send the node nothing.
    fn is_away(self) -> bool {
        self.is_down() || self == NodeHealth::InheritedDown
    }
}

/// A balancer instance that receives the desired states.
pub(in crate::supervisor) struct SyncTarget {
    pub(in crate::supervisor) id: ChildId,
    pub(in crate::supervisor) spec: Arc<Spec>,
    pub(in crate::supervisor) desired: watch::Receiver<DesiredStates>,
    /// Whether a stop is announced.
    pub(in crate::supervisor) announced: watch::Receiver<bool>,
    pub(in crate::supervisor) events: EventSender,
}

impl SyncTarget {
    /// The instance answers `/ready` accordingly.
    pub(in crate::supervisor) async fn announcement_accepted(&self, announced: bool) {
        let id = self.id;
        self.events.send(CoreEvent::Announced { id, announced }).await;
    }

    /// Waits until something else is wanted; false when nothing will be any more.
    pub(in crate::supervisor) async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.desired.changed() => changed.is_ok(),
            changed = self.announced.changed() => changed.is_ok(),
        }
    }

    /// The instance accepted the desired state of the node; an event is sent only if it differs
    /// from what was `accepted` before. `undone` lists the overrides by others that this has
    /// undone.
    pub(in crate::supervisor) async fn accepted(
        &self,
        accepted: &mut DesiredStates,
        node: String,
        state: DesiredState,
        undone: Vec<String>,
    ) {
        if accepted.get(&node) == Some(&state) {
            return;
        }
        let event = CoreEvent::StateAccepted {
            id: self.id,
            node: node.clone(),
            state,
            undone,
        };
        self.events.send(event).await;
        accepted.insert(node, state);
    }
}

/// The nodes that get no new clients by these desired states.
pub(in crate::supervisor) fn away(desired: &DesiredStates, announced: bool) -> Away {
    let names = |is_meant: fn(&DesiredState) -> bool| {
        let meant = desired.iter().filter(|(_, state)| is_meant(state));
        meant.map(|(node, _)| node.clone()).collect()
    };
    Away {
        drained: names(|state| state.drained),
        down: names(|state| state.health.is_away()),
        announced,
        ..Away::default()
    }
}

/// Keeps the instance behind `socket` at the desired state of each node. Nodes that are down are
/// sent first, then drained ones: good news can wait. Ends when the sender of desired states is
/// dropped.
pub(in crate::supervisor) async fn sync(socket: PathBuf, mut target: SyncTarget) {
    let spec = Arc::clone(&target.spec);
    let socket = Socket::new(socket);
    // The state of a newly connected instance is not known, so everything is sent once.
    let mut accepted = DesiredStates::new();
    let mut last_announced = None;
    let orders = spec.balancer.orders(&spec.cluster, &spec.run_dir);
    // Logged once, not with every attempt.
    let mut failing: Option<String> = None;
    loop {
        let announced = *target.announced.borrow_and_update();
        if last_announced != Some(announced) && orders.announce(&socket, announced).await.is_ok() {
            last_announced = Some(announced);
            target.announcement_accepted(announced).await;
        }
        let mut wanted = target.desired.borrow_and_update().clone();
        // An instance with an earlier configuration has not got new nodes yet.
        wanted.retain(|node, _| spec.cluster.node(node).is_some());
        let changes = changes(&wanted, &accepted);
        let mut done = Vec::new();
        for (node, state) in &changes {
            match update(&socket, &spec, node, accepted.get(*node), **state).await {
                Ok(undone) => done.push(((*node).clone(), **state, undone)),
                Err(error) => {
                    let why = error.to_string();
                    if failing.as_ref() != Some(&why) {
                        let (health, drained) = (state.health.name(), state.drained);
                        tracing::warn!(
                            node,
                            health,
                            drained,
                            "the balancer did not get the node's state: {why}"
                        );
                        failing = Some(why);
                    }
                }
            }
        }
        let all_accepted = done.len() == changes.len();
        if all_accepted {
            failing = None;
        }
        for (node, state, undone) in done {
            target.accepted(&mut accepted, node, state, undone).await;
        }
        let again = if !all_accepted || last_announced != Some(announced) {
            Some(RETRY_INTERVAL)
        } else if wanted.values().any(|state| state.health == NodeHealth::HeldDown) {
            Some(spec.reminder())
        } else {
            None
        };
        if !is_wanted(&mut target, again).await {
            return;
        }
    }
}

/// Ends the node's sessions on every balancer instance.
pub(in crate::supervisor) fn cut(node: String, spec: &Arc<Spec>) {
    let spec = spec.clone();
    tokio::spawn(async move {
        let orders = &spec.balancer.orders(&spec.cluster, &spec.run_dir);
        let cuts = spec.sockets().into_iter().map(|socket| {
            let node = &node;
            async move { orders.cut(&Socket::new(socket), node).await }
        });
        for outcome in join_all(cuts).await {
            if let Err(error) = outcome {
                tracing::warn!(node, "its sessions were not closed: {error}");
            }
        }
    });
}

/// Sends requests through the balancer until one is answered.
pub(in crate::supervisor) fn request_until_served(node: String, spec: &Arc<Spec>, events: &EventSender) {
    let listen = &spec.cluster.listen;
    let over_http = || Question::over_http(&spec.cluster);
    let (port, question) = match (listen.tcp, listen.http) {
        (Some(tcp), _) => (tcp, Question::Mcp),
        (None, Some(http)) => (http, over_http()),
        (None, None) => return,
    };
    let target: SocketAddr = listen.reachable(port);
    let source = target
        .ip()
        .is_ipv4()
        .then_some(PROBE_SOURCE)
        .filter(|_| target.ip().is_loopback());
    let probe = Probe {
        target,
        question,
        source,
        timeout: ANSWER_TIMEOUT,
    };
    let core = events.clone();
    events.spawn(async move {
        while probe.ask().await.is_err() && !core.is_closed() {
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        CoreEvent::ServedElsewhere { node }
    });
}

// Private

/// The updates still to send after `accepted`, downs first, then drains. A node that is held back
/// is sent again each time.
fn changes<'a>(wanted: &'a DesiredStates, accepted: &DesiredStates) -> Vec<(&'a String, &'a DesiredState)> {
    let mut changes: Vec<(&String, &DesiredState)> = wanted
        .iter()
        .filter(|(node, state)| accepted.get(*node) != Some(*state) || state.health == NodeHealth::HeldDown)
        .collect();
    changes.sort_by_key(|(_, state)| (!state.health.is_down(), !state.drained));
    changes
}

/// Waits until something else is wanted, or it is time to send it `again`; false when nothing will
/// be wanted any more.
async fn is_wanted(target: &mut SyncTarget, again: Option<Duration>) -> bool {
    match again {
        None => target.changed().await,
        Some(wait) => {
            let changed = tokio::time::timeout(wait, target.changed()).await;
            changed.unwrap_or(true)
        }
    }
}

async fn update(
    socket: &Socket,
    spec: &Spec,
    node: &str,
    was: Option<&DesiredState>,
    state: DesiredState,
) -> Result<Vec<String>, RuntimeError> {
    let (balancer, cluster) = (&spec.balancer, &spec.cluster);
    let health = match state.health {
        NodeHealth::Unknown | NodeHealth::InheritedDown => None,
        NodeHealth::Up => Some(ServerHealth::Up),
        NodeHealth::HeldDown | NodeHealth::Down => Some(ServerHealth::Down),
    };
    let is_ordered_again = was.is_some_and(|was| was.orders != state.orders);
    if let Some(health) = health
        && (state.health == NodeHealth::HeldDown || was.is_none_or(|was| was.health != state.health))
    {
        for target in balancer.health_targets(cluster, node) {
            socket.set_health(target.backend, &target.server, health).await?;
        }
    }
    let orders = balancer.orders(cluster, &spec.run_dir);
    match was {
        Some(was) if was.drained == state.drained && !is_ordered_again => {}
        _ if state.drained => orders.drain(socket, node).await?,
        Some(was) => {
            let before = Expected {
                drained: was.drained,
                up: state.health == NodeHealth::Up,
            };
            return take_back(socket, spec, node, before).await;
        }
        // Settings by others at a newly connected instance are left as they are.
        None => orders.undrain(socket, node).await?,
    }
    Ok(Vec::new())
}

/// Makes the node ready. Returns the settings that stood in the way at this instance.
async fn take_back(
    socket: &Socket,
    spec: &Spec,
    node: &str,
    before: Expected,
) -> Result<Vec<String>, RuntimeError> {
    let orders = spec.balancer.orders(&spec.cluster, &spec.run_dir);
    let overrides = orders.ready(socket, node, before).await?;
    let closed = Inspection::read(socket).await?.closed_frontends(spec.frontends());
    let mut opened = Vec::new();
    for frontend in closed {
        match socket.enable_frontend(&frontend).await {
            Ok(()) => opened.push(format!("frontend {frontend}, which was stopped")),
            // A frontend that was shut down cannot be started again; the status shows it.
            Err(RuntimeError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let backends = overrides
        .iter()
        .map(|it| format!("{} in {}", it.setting, it.backend));
    Ok(backends.chain(opened).collect())
}
