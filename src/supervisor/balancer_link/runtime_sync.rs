//! Tells one balancer instance what it has to know of each node, in order, until it has heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};

use crate::balancer::{Away, Expected, Inspection};
use crate::haproxy_api::{RuntimeError, ServerHealth, Socket};
use crate::plan::PROBE_SOURCE;
use crate::probe::{Probe, Question};
use crate::supervisor::event::CoreEvent;
use crate::supervisor::health::liveness::ANSWER_TIMEOUT;
use crate::supervisor::rollout::Who;
use crate::supervisor::spec::Spec;

/// A balancer that did not take an order is told again after this.
pub(in crate::supervisor) const AGAIN: Duration = Duration::from_millis(250);

/// What a balancer is told of a node's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) enum NodeHealth {
    /// Nothing: we do not know better.
    #[default]
    Unknown,
    /// Nothing either: it was down by the word of the supervisor before us, and we know no better. A balancer with checks of its
    /// own may; what goes by files goes on by that word.
    InheritedDown,
    /// It serves.
    Up,
    /// It answers, and is to get no clients yet. The balancer's own checks would raise it, so that is told again before
    /// they can.
    HeldDown,
    /// It does not serve.
    Down,
}

/// What a balancer has to know of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct DesiredState {
    pub(in crate::supervisor) health: NodeHealth,
    /// Whether it is to get nothing new.
    pub(in crate::supervisor) drained: bool,
    /// How many orders an operator has given about it: the same order given again is carried out again.
    pub(in crate::supervisor) orders: u32,
}

/// What a balancer has to know of each node, by name.
pub(in crate::supervisor) type DesiredStates = BTreeMap<String, DesiredState>;

impl NodeHealth {
    /// Whether a balancer that was told so gives it nothing, and has closed its sessions.
    pub(in crate::supervisor) fn is_down(self) -> bool {
        match self {
            NodeHealth::HeldDown | NodeHealth::Down => true,
            NodeHealth::Unknown | NodeHealth::InheritedDown | NodeHealth::Up => false,
        }
    }

    /// Whether a balancer that goes by files, or has yet to start, is to give it nothing.
    fn is_away(self) -> bool {
        self.is_down() || self == NodeHealth::InheritedDown
    }
}

/// A balancer instance that is to hear our opinion.
pub(in crate::supervisor) struct Listener {
    pub(in crate::supervisor) who: Who,
    pub(in crate::supervisor) setting: Arc<Spec>,
    pub(in crate::supervisor) opinion: watch::Receiver<DesiredStates>,
    pub(in crate::supervisor) news: mpsc::Sender<CoreEvent>,
}

impl Listener {
    /// The instance has heard what it has to know of the node; news if it had not been `told` so before. `took_back` says what
    /// others had set and this has undone.
    pub(in crate::supervisor) async fn heard(
        &self,
        told: &mut DesiredStates,
        node: String,
        view: DesiredState,
        took_back: Vec<String>,
    ) {
        if told.get(&node) == Some(&view) {
            return;
        }
        let news = CoreEvent::Told {
            who: self.who,
            node: node.clone(),
            view,
            took_back,
        };
        let _nobody_listens_after_the_end = self.news.send(news).await;
        told.insert(node, view);
    }
}

/// Who gets nothing new, in this opinion.
pub(in crate::supervisor) fn away(opinion: &DesiredStates) -> Away {
    let names = |is_meant: fn(&DesiredState) -> bool| {
        let meant = opinion.iter().filter(|(_, view)| is_meant(view));
        meant.map(|(node, _)| node.clone()).collect()
    };
    Away {
        drained: names(|view| view.drained),
        down: names(|view| view.health.is_away()),
    }
}

/// Keeps the instance behind `socket` at our opinion of each node. Told first is what is down, then what is drained:
/// good news can wait. Ends when nobody has an opinion any more.
pub(in crate::supervisor) async fn tell(socket: PathBuf, mut listener: Listener) {
    let setting = Arc::clone(&listener.setting);
    let socket = Socket::new(socket);
    // Of an instance that we meet, we know nothing: it is told everything once.
    let mut told = DesiredStates::new();
    // Said once, not with every attempt.
    let mut failing: Option<String> = None;
    loop {
        let wanted = listener.opinion.borrow_and_update().clone();
        let changes = changes(&wanted, &told);
        let mut done = Vec::new();
        for (node, view) in &changes {
            match update(&socket, &setting, node, told.get(*node), **view).await {
                Ok(took_back) => done.push(((*node).clone(), **view, took_back)),
                Err(error) => {
                    let why = error.to_string();
                    if failing.as_ref() != Some(&why) {
                        tracing::warn!(node, ?view, "the balancer was not told: {why}");
                        failing = Some(why);
                    }
                }
            }
        }
        let heard = done.len() == changes.len();
        if heard {
            failing = None;
        }
        for (node, view, took_back) in done {
            listener.heard(&mut told, node, view, took_back).await;
        }
        let again = if !heard {
            Some(AGAIN)
        } else if wanted.values().any(|view| view.health == NodeHealth::HeldDown) {
            Some(setting.reminder())
        } else {
            None
        };
        if !is_wanted(&mut listener.opinion, again).await {
            return;
        }
    }
}

/// Ends the node's sessions on every balancer instance.
pub(in crate::supervisor) fn cut(node: String, setting: &Arc<Spec>) {
    let setting = setting.clone();
    tokio::spawn(async move {
        let orders = &setting.balancer.orders(&setting.cluster, &setting.run_dir);
        let cuts = setting.sockets().into_iter().map(|socket| {
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

/// Asks through the balancer, until that is answered.
pub(in crate::supervisor) fn find_elsewhere(
    node: String,
    setting: &Arc<Spec>,
    news: mpsc::Sender<CoreEvent>,
) {
    let listen = &setting.cluster.listen;
    let (port, question) = match (listen.tcp, listen.http) {
        (Some(tcp), _) => (tcp, Question::Mcp),
        (None, Some(http)) => (http, Question::Http),
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
    tokio::spawn(async move {
        while probe.ask().await.is_err() && !news.is_closed() {
            tokio::time::sleep(AGAIN).await;
        }
        let _nobody_listens_after_the_end = news.send(CoreEvent::Elsewhere { node }).await;
    });
}

// Private

/// What is to be said to who was `told` so much, in that order. That a node is held back is said over and over.
fn changes<'a>(wanted: &'a DesiredStates, told: &DesiredStates) -> Vec<(&'a String, &'a DesiredState)> {
    let mut changes: Vec<(&String, &DesiredState)> = wanted
        .iter()
        .filter(|(node, view)| told.get(*node) != Some(*view) || view.health == NodeHealth::HeldDown)
        .collect();
    changes.sort_by_key(|(_, view)| (!view.health.is_down(), !view.drained));
    changes
}

/// Waits until there is another opinion, or it is time to say this one `again`; false when nobody has one any more.
async fn is_wanted(opinion: &mut watch::Receiver<DesiredStates>, again: Option<Duration>) -> bool {
    match again {
        None => opinion.changed().await.is_ok(),
        Some(wait) => {
            let changed = tokio::time::timeout(wait, opinion.changed()).await;
            changed.unwrap_or(Ok(())).is_ok()
        }
    }
}

async fn update(
    socket: &Socket,
    setting: &Spec,
    node: &str,
    was: Option<&DesiredState>,
    view: DesiredState,
) -> Result<Vec<String>, RuntimeError> {
    let (balancer, cluster) = (&setting.balancer, &setting.cluster);
    let health = match view.health {
        NodeHealth::Unknown | NodeHealth::InheritedDown => None,
        NodeHealth::Up => Some(ServerHealth::Up),
        NodeHealth::HeldDown | NodeHealth::Down => Some(ServerHealth::Down),
    };
    let is_ordered_again = was.is_some_and(|was| was.orders != view.orders);
    if let Some(health) = health
        && (view.health == NodeHealth::HeldDown || was.is_none_or(|was| was.health != view.health))
    {
        for target in balancer.health_targets(cluster, node) {
            socket.set_health(target.backend, &target.server, health).await?;
        }
    }
    let orders = balancer.orders(cluster, &setting.run_dir);
    match was {
        Some(was) if was.drained == view.drained && !is_ordered_again => {}
        _ if view.drained => orders.drain(socket, node).await?,
        Some(was) => {
            let before = Expected {
                drained: was.drained,
                up: view.health == NodeHealth::Up,
            };
            return take_back(socket, setting, node, before).await;
        }
        // What others set at an instance that is met is theirs.
        None => orders.undrain(socket, node).await?,
    }
    Ok(Vec::new())
}

/// Makes the node ready, and says what stood in the way at this instance.
async fn take_back(
    socket: &Socket,
    setting: &Spec,
    node: &str,
    before: Expected,
) -> Result<Vec<String>, RuntimeError> {
    let orders = setting.balancer.orders(&setting.cluster, &setting.run_dir);
    let overrides = orders.ready(socket, node, before).await?;
    let closed = Inspection::read(socket)
        .await?
        .closed_frontends(setting.frontends());
    let mut opened = Vec::new();
    for frontend in closed {
        match socket.enable_frontend(&frontend).await {
            Ok(()) => opened.push(format!("frontend {frontend}, which was stopped")),
            // One that was shut down stays so, which the status tells.
            Err(RuntimeError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let backends = overrides
        .iter()
        .map(|it| format!("{} in {}", it.setting, it.backend));
    Ok(backends.chain(opened).collect())
}
