//! What the director tells.

use super::client::{Phase, Story};
use super::{NodeId, Worker};
use crate::load_test::command::{Command, Reading};

impl Worker {
    /// Reads the post.
    pub(super) fn obey(&mut self) {
        for command in self.desk.take() {
            // A director that has gone misses no answer.
            match command {
                // What was answered before it knew of the hold is not counted, so nothing of that
                // time is.
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

    /// Takes clients from all over, and so from all nodes.
    fn sample(&mut self, clients: u32) {
        let seats = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        let step = (seats / clients.max(1)).max(1) as usize;
        // Those that wait for an answer just now are passed over, for their neighbours.
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
