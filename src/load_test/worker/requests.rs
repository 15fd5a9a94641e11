//! Messages: each client sends a request when its turn has come, one at a time. A request without
//! an answer makes the next ones late, and their lateness counts.

use super::client::{Phase, Seat, Story};
use super::{NodeId, Worker};

impl Worker {
    /// Sends for all clients whose turn has come.
    pub(super) fn ask_who_is_due(&mut self) {
        while let Some((seat, due)) = self.next_turn()
            && due <= self.now
        {
            let seats = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
            self.carousel.advance(seats);
            if self.owes_only(seat, due) && self.counts(due) {
                self.tally.sent_late.add(self.now.saturating_sub(due));
            }
            self.catch_up(seat);
        }
    }

    /// When the next message is due; `None` if never.
    pub(super) fn next_message(&self) -> Option<u64> {
        self.next_turn().map(|(_, due)| due)
    }

    /// Sends the overdue message of the client in `seat`, if possible: the client may have been
    /// without a connection, or waiting for an answer.
    pub(super) fn catch_up(&mut self, seat: u32) {
        let until = self.counting.map_or(u64::MAX, |(_, until)| until);
        let place = &mut self.seats[seat as usize];
        let (
            Phase::Held {
                line,
                asked: asked @ None,
            },
            Some(turn),
        ) = (&mut place.phase, place.turn)
        else {
            return;
        };
        let Some(due) = self
            .pace
            .due(seat, turn)
            .filter(|due| *due <= self.now && *due < until)
        else {
            return;
        };
        *asked = Some(due);
        self.asking += 1;
        place.turn = Some(turn + 1);
        // 0 is the handshake's.
        line.talk.ask(turn + 1);
        self.arm(seat);
        self.speak(seat);
    }

    /// Handles the answer to the request of the client in `seat`.
    pub(super) fn answered(&mut self, seat: u32, refused: bool) {
        let place = &mut self.seats[seat as usize];
        let Phase::Held { asked, .. } = &mut place.phase else {
            return;
        };
        let (Some(due), node) = (asked.take(), place.node) else {
            return;
        };
        place.failures = 0;
        self.asking -= 1;
        self.timers.disarm(seat);
        if self.counts(due) {
            let took = self.now.saturating_sub(due);
            self.recent.add(took);
            self.tally.took(node, took);
            self.tally.messages.due += 1;
            self.tally.messages.answered += 1;
            self.tally.messages.answered_by_error += u64::from(refused);
        }
        self.catch_up(seat);
    }

    /// Counts a message that was due at `due` and will not be answered. `story` decides whether the
    /// failure of its node explains that.
    pub(super) fn unanswered(&mut self, node: NodeId, due: u64, story: Story) {
        if !self.counts(due) {
            return;
        }
        self.tally.took(node, self.now.saturating_sub(due));
        let messages = &mut self.tally.messages;
        messages.due += 1;
        match story {
            Story::Failing { .. } => messages.lost += 1,
            Story::Plain | Story::Away | Story::ComingBack(_) => messages.unanswered += 1,
        }
    }

    // Private

    /// Whether the message due at `due` is the only one overdue for the client in `seat`, and can
    /// be sent.
    fn owes_only(&self, seat: u32, due: u64) -> bool {
        let Seat { phase, turn, .. } = &self.seats[seat as usize];
        let is_free = matches!(phase, Phase::Held { asked: None, .. });
        is_free && turn.and_then(|turn| self.pace.due(seat, turn)) == Some(due)
    }

    fn next_turn(&self) -> Option<(u32, u64)> {
        let until = self.counting.map_or(u64::MAX, |(_, until)| until);
        let next = self.carousel.next(&self.pace)?;
        (next.1 < until && !self.seats.is_empty()).then_some(next)
    }

    fn counts(&self, due: u64) -> bool {
        self.counting
            .is_some_and(|(from, until)| from <= due && due < until)
    }
}
