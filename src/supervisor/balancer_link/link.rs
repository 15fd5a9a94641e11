//! The link to the balancer: the desired state of each node, what each instance has accepted of it,
//! and whether the instances answer.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::out_of_sync::OutOfSync;
use super::pending_reply::PendingReply;
use super::runtime_sync::{DesiredState, DesiredStates};
use crate::supervisor::health::liveness::Liveness;
use crate::supervisor::waves::ChildId;

/// The link to all balancer instances.
pub(in crate::supervisor) struct BalancerLink {
    desired: watch::Sender<DesiredStates>,
    /// Whether a stop is announced.
    announced: watch::Sender<bool>,
    connections: BTreeMap<ChildId, Connection>,
    /// Whether each instance answers.
    liveness: BTreeMap<ChildId, Liveness>,
    out_of_sync: OutOfSync,
    /// Orders that are answered when the balancer has carried them out.
    pending_replies: Vec<PendingReply>,
}

/// An instance that receives the desired states.
struct Connection {
    /// The states that the instance has accepted.
    accepted: DesiredStates,
    /// When it accepted the last of them.
    accepted_at: Option<Instant>,
    /// Whether the instance answers that a stop is announced.
    announces: bool,
    task: AbortHandle,
}

impl BalancerLink {
    /// Creates a link without any instance.
    pub(in crate::supervisor) fn new() -> BalancerLink {
        BalancerLink {
            desired: watch::Sender::new(DesiredStates::new()),
            announced: watch::Sender::new(false),
            connections: BTreeMap::new(),
            liveness: BTreeMap::new(),
            out_of_sync: OutOfSync::default(),
            pending_replies: Vec::new(),
        }
    }

    /// Publishes the desired states, if they have changed. States of other nodes do not matter any
    /// more.
    pub(in crate::supervisor) fn publish(&mut self, desired: DesiredStates) {
        for connection in self.connections.values_mut() {
            connection.accepted.retain(|node, _| desired.contains_key(node));
        }
        self.desired.send_if_modified(|published| {
            let changed = *published != desired;
            *published = desired;
            changed
        });
    }

    /// Publishes whether a stop is announced.
    pub(in crate::supervisor) fn announce(&self, announced: bool) {
        self.announced
            .send_if_modified(|published| std::mem::replace(published, announced) != announced);
    }

    /// Whether a stop is announced, as it is published.
    pub(in crate::supervisor) fn subscribe_to_announcement(&self) -> watch::Receiver<bool> {
        self.announced.subscribe()
    }

    /// The instance answers `/ready` accordingly.
    pub(in crate::supervisor) fn accept_announcement(&mut self, id: ChildId, announces: bool) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.announces = announces;
        }
    }

    /// Whether every instance answers that a stop is announced.
    pub(in crate::supervisor) fn is_announced(&self) -> bool {
        self.connections.values().all(|connection| connection.announces)
    }

    /// The desired states as they are published.
    pub(in crate::supervisor) fn subscribe(&self) -> watch::Receiver<DesiredStates> {
        self.desired.subscribe()
    }

    /// From now on, `task` sends the desired states to the instance.
    pub(in crate::supervisor) fn connect(&mut self, id: ChildId, task: AbortHandle) {
        let connection = Connection {
            accepted: DesiredStates::new(),
            accepted_at: None,
            announces: false,
            task,
        };
        self.connections.insert(id, connection);
    }

    /// Stops sending desired states to the instance, and forgets what it has accepted.
    pub(in crate::supervisor) fn disconnect(&mut self, id: ChildId) {
        if let Some(connection) = self.connections.remove(&id) {
            connection.task.abort();
        }
    }

    /// The instances that receive the desired states.
    pub(in crate::supervisor) fn connected(&self) -> impl Iterator<Item = ChildId> {
        self.connections.keys().copied()
    }

    /// Whether any instance receives the desired states.
    pub(in crate::supervisor) fn any_connected(&self) -> bool {
        !self.connections.is_empty()
    }

    /// The instance has accepted the state of the node. Returns false for an instance that is not
    /// connected any more, and for a node that is gone.
    pub(in crate::supervisor) fn accept(
        &mut self,
        id: ChildId,
        node: &str,
        state: DesiredState,
        now: Instant,
    ) -> bool {
        let is_known = self.desired.borrow().contains_key(node);
        let Some(connection) = self.connections.get_mut(&id).filter(|_| is_known) else {
            return false;
        };
        connection.accepted.insert(node.to_owned(), state);
        connection.accepted_at = Some(now);
        true
    }

    /// Whether the instance has accepted nothing since `time`.
    pub(in crate::supervisor) fn is_unchanged_since(&self, id: ChildId, time: Instant) -> bool {
        let connection = self.connections.get(&id);
        connection.is_none_or(|it| it.accepted_at.is_none_or(|accepted| accepted <= time))
    }

    /// The states that the instance has accepted; `None` while it is not connected.
    pub(in crate::supervisor) fn accepted(&self, id: ChildId) -> Option<&DesiredStates> {
        self.connections.get(&id).map(|connection| &connection.accepted)
    }

    /// Whether the instance has accepted all desired states.
    pub(in crate::supervisor) fn is_in_sync(&self, id: ChildId) -> bool {
        self.accepted(id) == Some(&*self.desired.borrow())
    }

    /// Whether an instance has accepted that the node is down.
    pub(in crate::supervisor) fn knows_of_failure(&self, node: &str) -> bool {
        let mut connections = self.connections.values();
        connections.any(|it| it.accepted.get(node).is_some_and(|state| state.health.is_down()))
    }

    /// The instance has just answered.
    pub(in crate::supervisor) fn set_answering(&mut self, id: ChildId, now: Instant) {
        self.liveness.insert(id, Liveness::answering(now));
    }

    /// The instance's process is gone.
    pub(in crate::supervisor) fn forget(&mut self, id: ChildId) {
        self.disconnect(id);
        self.liveness.remove(&id);
    }

    /// Judges the instance by its answers so far; a probe of it is sent now. Returns since when it
    /// was silent before, and since when it is silent now.
    pub(in crate::supervisor) fn probe(
        &mut self,
        id: ChildId,
        now: Instant,
        late: bool,
    ) -> (Option<Instant>, Option<Instant>) {
        let liveness = self.liveness.entry(id);
        let liveness = liveness.or_insert_with(|| Liveness::answering(now));
        let was = liveness.silent_since();
        liveness.judge(now, late);
        liveness.asked();
        (was, liveness.silent_since())
    }

    /// A probe of the instance returned.
    pub(in crate::supervisor) fn probed(&mut self, id: ChildId, answered: bool, now: Instant) {
        match self.liveness.get_mut(&id) {
            Some(liveness) if answered => liveness.answered(now),
            Some(liveness) => liveness.failed(),
            None => {}
        }
    }

    /// Whether the instance does not answer.
    pub(in crate::supervisor) fn is_silent(&self, id: ChildId) -> bool {
        let liveness = self.liveness.get(&id);
        liveness.is_some_and(|liveness| liveness.silent_since().is_some())
    }

    /// Updates which instances are out of sync. An instance that does not answer is reported as
    /// such, and starts with everything that is in force.
    pub(in crate::supervisor) fn update_out_of_sync(&mut self, now: Instant) {
        let is_behind = |id: &ChildId| !self.is_in_sync(*id) && !self.is_silent(*id);
        let behind: Vec<ChildId> = self.connected().filter(is_behind).collect();
        self.out_of_sync.update(&behind, now);
    }

    /// The instances that have been out of sync for too long.
    pub(in crate::supervisor) fn out_of_sync(&self, now: Instant) -> impl Iterator<Item = ChildId> {
        self.out_of_sync.overdue(now)
    }

    /// Adds an order to be answered when it is in force.
    pub(in crate::supervisor) fn await_reply(&mut self, reply: PendingReply) {
        self.pending_replies.push(reply);
    }

    /// The orders that are not answered yet.
    pub(in crate::supervisor) fn pending_replies(&mut self) -> &mut Vec<PendingReply> {
        &mut self.pending_replies
    }

    /// Whether an order waits for its answer.
    pub(in crate::supervisor) fn has_pending_replies(&self) -> bool {
        !self.pending_replies.is_empty()
    }

    /// When the first order has waited too long.
    pub(in crate::supervisor) fn wakes_at(&self) -> Option<Instant> {
        self.pending_replies.iter().map(|pending| pending.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BALANCER: ChildId = ChildId::Balancer(0);

    fn desired(nodes: [&str; 2]) -> DesiredStates {
        let state = |node: &str| (node.to_owned(), DesiredState::default());
        nodes.map(state).into()
    }

    #[tokio::test]
    async fn an_instance_is_in_sync_when_it_has_accepted_every_node_that_is_left() {
        let (mut link, now) = (BalancerLink::new(), Instant::now());
        link.connect(BALANCER, tokio::spawn(async {}).abort_handle());
        link.publish(desired(["a", "b"]));
        for node in ["a", "b"] {
            assert!(link.accept(BALANCER, node, DesiredState::default(), now));
        }
        assert!(link.is_in_sync(BALANCER));
        link.publish(desired(["b", "c"]));
        assert!(!link.is_in_sync(BALANCER), "`c` is new");
        assert!(link.accept(BALANCER, "c", DesiredState::default(), now));
        assert!(
            !link.accept(BALANCER, "a", DesiredState::default(), now),
            "it is gone"
        );
        assert!(link.is_in_sync(BALANCER));
    }
}
