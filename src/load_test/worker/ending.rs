//! Connections that end: lost, closed to reconnect, or closed at the end of the test.

use super::client::{Client, Phase, Tracking};
use super::{LoadError, Worker};

impl Worker {
    /// Ends the connection of the client in `index` because of an error.
    pub(super) fn connection_lost(&mut self, index: u32, failure: &LoadError) {
        match std::mem::replace(&mut self.clients[index as usize].phase, Phase::Waiting) {
            // Its timer is for the end of the pause.
            Phase::Waiting => {}
            Phase::Opening { connection, .. } => {
                self.timers.disarm(index);
                self.clients[index as usize].carried_state = connection.conversation.carried_state();
                drop(connection);
                self.attempt_failed(index, failure);
            }
            Phase::Held { connection, pending } => {
                self.timers.disarm(index);
                let client = &mut self.clients[index as usize];
                client.carried_state = connection.conversation.carried_state();
                drop(connection);
                let (node, tracking) = (client.node, client.tracking);
                if let Some(due) = pending {
                    self.in_flight -= 1;
                    self.unanswered(node, due, tracking);
                }
                *self.connections_to(node) -= 1;
                self.record_loss(index, tracking, failure);
            }
        }
    }

    /// Counts a failed attempt to connect.
    pub(super) fn attempt_failed(&mut self, index: u32, failure: &LoadError) {
        self.opening -= 1;
        if let Tracking::Failing { .. } = self.clients[index as usize].tracking {
            self.tally
                .failover
                .errors
                .add(failure, self.address(index), self.now);
        } else {
            self.tally.errors.add(failure, self.address(index), self.now);
        }
        self.pause(index);
    }

    /// Closes the connection of the client in `index`, to check whether it returns to the same
    /// node. Returns whether it did so: a client that waits for an answer keeps its connection.
    pub(super) fn disconnect(&mut self, index: u32) -> bool {
        let Client {
            phase,
            carried_state,
            tracking,
            node,
            ..
        } = &mut self.clients[index as usize];
        let Phase::Held {
            connection,
            pending: None,
        } = phase
        else {
            return false;
        };
        if *tracking == Tracking::Moved && !self.common.is_remembered {
            return false;
        }
        *carried_state = connection.conversation.carried_state();
        *phase = Phase::Waiting;
        let (node, was) = (*node, std::mem::replace(tracking, Tracking::Returning(*node)));
        // Its node was to fail, but the connection was not lost.
        self.homeless -= u32::from(matches!(was, Tracking::Failing { .. }));
        *self.connections_to(node) -= 1;
        self.sampling += 1;
        self.reconnects.push_back(index);
        true
    }

    /// Closes all connections.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.now = self.common.now();
        for index in (0..).take(self.clients.len()) {
            self.count_unanswered(index);
            self.clients[index as usize].phase = Phase::Waiting;
        }
    }

    // Private

    /// Handles that a served client lost its connection: counts the cause, and schedules the
    /// reconnect.
    fn record_loss(&mut self, index: u32, tracking: Tracking, failure: &LoadError) {
        if let Tracking::Failing { cut: false } = tracking {
            self.clients[index as usize].tracking = Tracking::Failing { cut: true };
            self.cut += 1;
            self.tally.failover.cut.push(self.now);
            self.reconnects.push_back(index);
            return;
        }
        self.tally.errors.add(failure, self.address(index), self.now);
        // Even if `homeless` is 0: the clients may all belong to another worker.
        if self.node_fails {
            self.tally.failover.bystanders += 1;
        }
        // A target that serves clients and then closes must not be flooded.
        self.pause(index);
    }

    /// Counts a client's open ends: messages that were due, and its return.
    fn count_unanswered(&mut self, index: u32) {
        let address = self.address(index);
        let Client {
            phase,
            turn,
            tracking,
            node,
            ..
        } = &self.clients[index as usize];
        let (node, tracking) = (*node, *tracking);
        let pending = match phase {
            Phase::Held { pending, .. } => *pending,
            _ => None,
        };
        if let Tracking::Returning(was) = tracking {
            self.tally.sampled.returned(address, was, None);
        }
        let until = self.counting.map_or(0, |(_, until)| until.min(self.now));
        let schedule = self.schedule;
        let owed = (*turn)
            .into_iter()
            .flat_map(|turn| (turn..).map_while(move |turn| schedule.due(index, turn)))
            .take_while(|due| *due < until);
        for due in pending.into_iter().chain(owed) {
            self.unanswered(node, due, tracking);
        }
    }
}
