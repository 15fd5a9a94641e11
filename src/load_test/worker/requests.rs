//! Messages: each client sends a request when its turn has come, one at a time. A request without
//! an answer makes the next ones late, and their lateness counts.

use super::client::{Client, Phase, Tracking};
use super::{NodeId, Worker};

impl Worker {
    /// Sends for all clients whose turn has come.
    pub(super) fn send_due(&mut self) {
        while let Some((index, due)) = self.next_turn()
            && due <= self.now
        {
            let clients = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
            self.cycle.advance(clients);
            if self.owes_one(index, due) && self.counts(due) {
                self.tally.sent_late.add(self.now.saturating_sub(due));
            }
            self.send_overdue(index);
        }
    }

    /// When the next message is due; `None` if never.
    pub(super) fn next_message(&self) -> Option<u64> {
        self.next_turn().map(|(_, due)| due)
    }

    /// Sends the overdue message of the client in `index`, if possible: the client may have been
    /// without a connection, or waiting for an answer.
    pub(super) fn send_overdue(&mut self, index: u32) {
        let until = self.counting.map_or(u64::MAX, |(_, until)| until);
        let client = &mut self.clients[index as usize];
        let (
            Phase::Held {
                connection,
                pending: pending @ None,
            },
            Some(turn),
        ) = (&mut client.phase, client.turn)
        else {
            return;
        };
        let Some(due) = self
            .schedule
            .due(index, turn)
            .filter(|due| *due <= self.now && *due < until)
        else {
            return;
        };
        *pending = Some(due);
        self.in_flight += 1;
        client.turn = Some(turn + 1);
        // 0 is the handshake's.
        connection.conversation.ask(turn + 1);
        self.arm(index);
        self.write_unsent(index);
    }

    /// Handles the answer to the request of the client in `index`.
    pub(super) fn answered(&mut self, index: u32, refused: bool) {
        let client = &mut self.clients[index as usize];
        let Phase::Held { pending, .. } = &mut client.phase else {
            return;
        };
        let (Some(due), node) = (pending.take(), client.node) else {
            return;
        };
        client.failures = 0;
        self.in_flight -= 1;
        self.timers.disarm(index);
        if self.counts(due) {
            let took = self.now.saturating_sub(due);
            self.recent.add(took);
            self.tally.add_latency(node, took);
            self.tally.messages.due += 1;
            self.tally.messages.answered += 1;
            self.tally.messages.answered_by_error += u64::from(refused);
        }
        self.send_overdue(index);
    }

    /// Counts a message that was due at `due` and will not be answered. `tracking` decides whether
    /// the failure of its node explains that.
    pub(super) fn unanswered(&mut self, node: NodeId, due: u64, tracking: Tracking) {
        if !self.counts(due) {
            return;
        }
        self.tally.add_latency(node, self.now.saturating_sub(due));
        let messages = &mut self.tally.messages;
        messages.due += 1;
        match tracking {
            Tracking::Failing { .. } => messages.lost += 1,
            Tracking::Normal | Tracking::Moved | Tracking::Returning(_) => messages.unanswered += 1,
        }
    }

    // Private

    /// Whether the message due at `due` is the only one overdue for the client in `index`, and can
    /// be sent.
    fn owes_one(&self, index: u32, due: u64) -> bool {
        let Client { phase, turn, .. } = &self.clients[index as usize];
        let is_free = matches!(phase, Phase::Held { pending: None, .. });
        is_free && turn.and_then(|turn| self.schedule.due(index, turn)) == Some(due)
    }

    fn next_turn(&self) -> Option<(u32, u64)> {
        let until = self.counting.map_or(u64::MAX, |(_, until)| until);
        let next = self.cycle.next(&self.schedule)?;
        (next.1 < until && !self.clients.is_empty()).then_some(next)
    }

    fn counts(&self, due: u64) -> bool {
        self.counting
            .is_some_and(|(from, until)| from <= due && due < until)
    }
}
