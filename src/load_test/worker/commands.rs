//! Executes the director's commands.

use super::client::{Phase, Story};
use super::{NodeId, Worker};
use crate::load_test::command::{Command, Reading};

impl Worker {
    /// Executes the commands in the inbox.
    pub(super) fn obey(&mut self) {
        for command in self.inbox.take() {
            // A director that has gone needs no answer.
            match command {
                // Messages answered before this worker knew of the hold were not counted, so none
                // of that time are.
                Command::Hold(from) => self.counting = Some((from.max(self.now), u64::MAX)),
                Command::HoldIsOver(at) => self.counting = self.counting.map(|(from, _)| (from, at)),
                Command::Enough => self.has_enough = true,
                Command::Glance(reply) => drop(reply.send(self.reading())),
                Command::Locals(reply) => drop(reply.send(self.locals())),
                Command::Fail(node, reply) => drop(reply.send(self.fail(node))),
                Command::FailureIsOver => self.node_fails = false,
                Command::Sample(clients) => self.sample(clients),
                Command::End => self.end(),
            }
        }
    }

    // Private

    fn reading(&mut self) -> Reading {
        Reading {
            held: self.held.clone(),
            opening: self.opening,
            welcomes: self.welcomes,
            errors: self.tally.errors.clone(),
            recent: std::mem::take(&mut self.recent),
            asking: self.asking,
            homeless: self.homeless,
            cut: self.cut,
            sampling: self.sampling,
        }
    }

    fn locals(&self) -> Vec<std::net::SocketAddr> {
        let held = self.seats.iter().filter_map(|seat| match &seat.phase {
            Phase::Held { line, .. } => line.stream.local_addr().ok(),
            _ => None,
        });
        held.collect()
    }

    fn fail(&mut self, node: NodeId) -> u32 {
        self.node_fails = true;
        for seat in &mut self.seats {
            if seat.node == node && matches!(seat.phase, Phase::Held { .. }) {
                seat.story = Story::Failing { cut: false };
                self.homeless += 1;
            }
        }
        self.homeless
    }

    /// Selects clients evenly, and so of all nodes.
    fn sample(&mut self, clients: u32) {
        let seats = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        let step = (seats / clients.max(1)).max(1) as usize;
        // A client that waits for an answer is skipped in favour of its neighbour.
        let all = (0..step).flat_map(|first| (0..seats).skip(first).step_by(step));
        let mut left = clients;
        for seat in all {
            if left == 0 {
                return;
            }
            left -= u32::from(self.give_up(seat));
        }
    }
}
