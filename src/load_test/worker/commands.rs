//! Executes the director's commands.

use super::client::{Phase, Tracking};
use super::{NodeId, Worker};
use crate::load_test::command::{Command, Locals, Reading};

impl Worker {
    /// Executes the commands in the inbox.
    pub(super) fn handle_commands(&mut self) {
        for command in self.inbox.take() {
            // A director that has gone needs no answer.
            match command {
                // Messages answered before this worker knew of the hold were not counted, so none
                // of that time are.
                Command::Hold(from) => self.counting = Some((from.max(self.now), u64::MAX)),
                Command::HoldIsOver(at) => self.counting = self.counting.map(|(from, _)| (from, at)),
                Command::OpenNoMore => self.opens_none = true,
                Command::Report(reply) => drop(reply.send(self.reading())),
                Command::Locals(reply) => drop(reply.send(self.locals())),
                Command::Fail(node, reply) => drop(reply.send(self.fail(node))),
                Command::FailureIsOver => self.node_fails = false,
                Command::Sample(wanted) => self.sample(wanted),
                Command::End => self.end(),
            }
        }
    }

    // Private

    fn reading(&mut self) -> Reading {
        Reading {
            held: self.held.clone(),
            opening: self.opening,
            served: self.served,
            errors: self.tally.errors.clone(),
            recent: std::mem::take(&mut self.recent),
            in_flight: self.in_flight,
            homeless: self.homeless,
            cut: self.cut,
            sampling: self.sampling,
        }
    }

    fn locals(&self) -> Locals {
        let mut locals = Locals::default();
        for client in &self.clients {
            let (connection, addresses) = match &client.phase {
                Phase::Waiting => continue,
                Phase::Opening { connection, .. } => (connection, &mut locals.opening),
                Phase::Held { connection, .. } => (connection, &mut locals.held),
            };
            addresses.extend(connection.stream.local_addr());
        }
        locals
    }

    fn fail(&mut self, node: NodeId) -> u32 {
        self.node_fails = true;
        for client in &mut self.clients {
            if client.node == node && matches!(client.phase, Phase::Held { .. }) {
                client.tracking = Tracking::Failing { cut: false };
                self.homeless += 1;
            }
        }
        self.homeless
    }

    /// Selects clients evenly, and so of all nodes.
    fn sample(&mut self, wanted: u32) {
        let clients = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        let step = (clients / wanted.max(1)).max(1) as usize;
        // A client that waits for an answer is skipped in favour of its neighbour.
        let all = (0..step).flat_map(|first| (0..clients).skip(first).step_by(step));
        let mut left = wanted;
        for client in all {
            if left == 0 {
                return;
            }
            left -= u32::from(self.disconnect(client));
        }
    }
}
