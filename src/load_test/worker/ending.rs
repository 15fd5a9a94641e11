//! Connections that end: lost, closed to reconnect, or closed at the end of the test.

use super::client::{Phase, Seat, Story};
use super::{Trouble, Worker};

impl Worker {
    /// Ends the connection of the client in `seat` because of an error.
    pub(super) fn lose(&mut self, seat: u32, trouble: &Trouble) {
        match std::mem::replace(&mut self.seats[seat as usize].phase, Phase::Waiting) {
            // Its timer is for the end of the pause.
            Phase::Waiting => {}
            Phase::Opening { line, .. } => {
                self.timers.disarm(seat);
                self.seats[seat as usize].keepsake = line.talk.keepsake();
                drop(line);
                self.attempt_failed(seat, trouble);
            }
            Phase::Held { line, asked } => {
                self.timers.disarm(seat);
                let place = &mut self.seats[seat as usize];
                place.keepsake = line.talk.keepsake();
                drop(line);
                let (node, story) = (place.node, place.story);
                if let Some(due) = asked {
                    self.asking -= 1;
                    self.unanswered(node, due, story);
                }
                *self.held_by(node) -= 1;
                self.lament(seat, story, trouble);
            }
        }
    }

    /// Counts a failed attempt to connect.
    pub(super) fn attempt_failed(&mut self, seat: u32, trouble: &Trouble) {
        self.opening -= 1;
        if let Story::Failing { .. } = self.seats[seat as usize].story {
            self.tally
                .failover
                .errors
                .add(trouble, self.address(seat), self.now);
        } else {
            self.tally.errors.add(trouble, self.address(seat), self.now);
        }
        self.pause(seat);
    }

    /// Closes the connection of the client in `seat`, to check whether it returns to the same node.
    /// Returns whether it did so: a client that waits for an answer keeps its connection.
    pub(super) fn give_up(&mut self, seat: u32) -> bool {
        let Seat {
            phase,
            keepsake,
            story,
            node,
            ..
        } = &mut self.seats[seat as usize];
        let Phase::Held { line, asked: None } = phase else {
            return false;
        };
        if *story == Story::Away && !self.common.is_remembered {
            return false;
        }
        *keepsake = line.talk.keepsake();
        *phase = Phase::Waiting;
        let (node, was) = (*node, std::mem::replace(story, Story::ComingBack(*node)));
        // Its node was to fail, but the connection was not lost.
        self.homeless -= u32::from(matches!(was, Story::Failing { .. }));
        *self.held_by(node) -= 1;
        self.sampling += 1;
        self.again.push_back(seat);
        true
    }

    /// Closes all connections.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.now = self.common.now();
        for seat in (0..).take(self.seats.len()) {
            self.settle(seat);
            self.seats[seat as usize].phase = Phase::Waiting;
        }
    }

    // Private

    /// Handles that a served client lost its connection: counts the cause, and schedules the
    /// reconnect.
    fn lament(&mut self, seat: u32, story: Story, trouble: &Trouble) {
        if let Story::Failing { cut: false } = story {
            self.seats[seat as usize].story = Story::Failing { cut: true };
            self.cut += 1;
            self.tally.failover.cut.push(self.now);
            self.again.push_back(seat);
            return;
        }
        self.tally.errors.add(trouble, self.address(seat), self.now);
        // Even if `homeless` is 0: the clients may all belong to another worker.
        if self.node_fails {
            self.tally.failover.bystanders += 1;
        }
        // A target that serves clients and then closes must not be flooded.
        self.pause(seat);
    }

    /// Counts a client's open ends: messages that were due, and its return.
    fn settle(&mut self, seat: u32) {
        let address = self.address(seat);
        let Seat {
            phase,
            turn,
            story,
            node,
            ..
        } = &self.seats[seat as usize];
        let (node, story) = (*node, *story);
        let asked = match phase {
            Phase::Held { asked, .. } => *asked,
            _ => None,
        };
        if let Story::ComingBack(was) = story {
            self.tally.sampled.came_back(address, was, None);
        }
        let until = self.counting.map_or(0, |(_, until)| until.min(self.now));
        let pace = self.pace;
        let owed = (*turn)
            .into_iter()
            .flat_map(|turn| (turn..).map_while(move |turn| pace.due(seat, turn)))
            .take_while(|due| *due < until);
        for due in asked.into_iter().chain(owed) {
            self.unanswered(node, due, story);
        }
    }
}
