//! What one worker has found, and all of them together.

use std::net::IpAddr;

use super::error_counts::Errors;
use super::names::NodeId;
use super::results::Messages;
use super::times::Times;

/// What was found. Times are microseconds since the test began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Answers of each node, by its number.
    pub(crate) nodes: Vec<Times>,
    /// From connecting until the answer to `initialize`, of connections that were made before the
    /// hold.
    pub(crate) handshake: Times,
    /// What went wrong.
    pub(crate) errors: Errors,
    /// Messages of the hold.
    pub(crate) messages: Messages,
    /// How late they were sent, of those that nothing but this generator has held up.
    pub(crate) sent_late: Times,
    /// When the last client was served for the first time.
    pub(crate) last_first_welcome: u64,
    /// What became of the clients of a node that failed.
    pub(crate) failover: Exodus,
    /// What became of those that came back.
    pub(crate) sampled: Sampled,
}

/// Clients that leave a node, and arrive at others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exodus {
    /// When each lost its connection.
    pub(crate) cut: Vec<u64>,
    /// When each was served again, and by which node.
    pub(crate) rehomed: Vec<(u64, NodeId)>,
    /// Attempts to come back that failed.
    pub(crate) errors: Errors,
    /// Clients of other nodes that lost their connection meanwhile.
    pub(crate) bystanders: u32,
}

/// Clients that gave up their connection and came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sampled {
    /// To the same node.
    pub(crate) same: u32,
    /// Not so.
    pub(crate) moved: u32,
    /// Some of those: address, node before, node after if they were served.
    pub(crate) examples: Vec<(Option<IpAddr>, NodeId, Option<NodeId>)>,
}

/// Clients that moved, and are named.
const EXAMPLES: usize = 10;

impl Tally {
    /// A message of the node was answered, or given up, after so many microseconds.
    pub(crate) fn took(&mut self, node: NodeId, micros: u64) {
        let place = usize::from(node);
        if self.nodes.len() <= place {
            self.nodes.resize_with(place + 1, Times::default);
        }
        if let Some(times) = self.nodes.get_mut(place) {
            times.add(micros);
        }
    }

    /// All of `other` too.
    pub(crate) fn merge(&mut self, other: Tally) {
        if self.nodes.len() < other.nodes.len() {
            self.nodes.resize_with(other.nodes.len(), Times::default);
        }
        for (mine, more) in self.nodes.iter_mut().zip(&other.nodes) {
            mine.merge(more);
        }
        self.handshake.merge(&other.handshake);
        self.errors.merge(&other.errors);
        self.messages.due += other.messages.due;
        self.messages.answered += other.messages.answered;
        self.messages.answered_by_error += other.messages.answered_by_error;
        self.messages.unanswered += other.messages.unanswered;
        self.messages.lost += other.messages.lost;
        self.sent_late.merge(&other.sent_late);
        self.last_first_welcome = self.last_first_welcome.max(other.last_first_welcome);
        self.failover.merge(other.failover);
        self.sampled.merge(other.sampled);
    }
}

impl Exodus {
    fn merge(&mut self, other: Exodus) {
        self.cut.extend(other.cut);
        self.rehomed.extend(other.rehomed);
        self.errors.merge(&other.errors);
        self.bystanders += other.bystanders;
    }
}

impl Sampled {
    /// A client that had `was` is served by `now`, or by nobody.
    pub(crate) fn came_back(&mut self, address: Option<IpAddr>, was: NodeId, now: Option<NodeId>) {
        if now == Some(was) {
            self.same += 1;
            return;
        }
        self.moved += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push((address, was, now));
        }
    }

    fn merge(&mut self, other: Sampled) {
        self.same += other.same;
        self.moved += other.moved;
        let room = EXAMPLES - self.examples.len();
        self.examples.extend(other.examples.into_iter().take(room));
    }
}
