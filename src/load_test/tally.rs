//! What one worker found, and what all found together.

use std::net::IpAddr;

use super::error_counts::Errors;
use super::names::NodeId;
use super::results::Messages;
use super::times::Times;

/// The findings. Times are microseconds since the test began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Times of answers of each node, by its number.
    pub(crate) nodes: Vec<Times>,
    /// From connecting until the answer to `initialize`, for connections made before the hold.
    pub(crate) handshake: Times,
    /// All errors.
    pub(crate) errors: Errors,
    /// Messages of the hold.
    pub(crate) messages: Messages,
    /// How late messages were sent, for those delayed by nothing but this generator.
    pub(crate) sent_late: Times,
    /// When the last client was served for the first time.
    pub(crate) last_first_welcome: u64,
    /// What happened to the clients of a failed node.
    pub(crate) failover: FailoverTally,
    /// What happened to the clients that reconnected.
    pub(crate) sampled: ReconnectTally,
}

/// Clients that lose a node and move to others.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailoverTally {
    /// When each lost its connection.
    pub(crate) cut: Vec<u64>,
    /// When each was served again, and by which node.
    pub(crate) rehomed: Vec<(u64, NodeId)>,
    /// Failed attempts to reconnect.
    pub(crate) errors: Errors,
    /// Clients of other nodes that lost their connection in the meantime.
    pub(crate) bystanders: u32,
}

/// Clients that closed their connection and reconnected.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReconnectTally {
    /// How many returned to the same node.
    pub(crate) same: u32,
    /// How many did not.
    pub(crate) moved: u32,
    /// Some of these: address, node before, node after if they were served.
    pub(crate) examples: Vec<(Option<IpAddr>, NodeId, Option<NodeId>)>,
}

/// How many moved clients are listed.
const EXAMPLES: usize = 10;

impl Tally {
    /// Adds the time of a message to the node, answered or given up, in microseconds.
    pub(crate) fn add_latency(&mut self, node: NodeId, micros: u64) {
        let place = usize::from(node);
        if self.nodes.len() <= place {
            self.nodes.resize_with(place + 1, Times::default);
        }
        if let Some(times) = self.nodes.get_mut(place) {
            times.add(micros);
        }
    }

    /// Adds all of `other`.
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

impl FailoverTally {
    fn merge(&mut self, other: FailoverTally) {
        self.cut.extend(other.cut);
        self.rehomed.extend(other.rehomed);
        self.errors.merge(&other.errors);
        self.bystanders += other.bystanders;
    }
}

impl ReconnectTally {
    /// Adds a client that node `was` served before, and that `now` serves; `None` if not served.
    pub(crate) fn returned(&mut self, address: Option<IpAddr>, was: NodeId, now: Option<NodeId>) {
        if now == Some(was) {
            self.same += 1;
            return;
        }
        self.moved += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push((address, was, now));
        }
    }

    fn merge(&mut self, other: ReconnectTally) {
        self.same += other.same;
        self.moved += other.moved;
        let room = EXAMPLES - self.examples.len();
        self.examples.extend(other.examples.into_iter().take(room));
    }
}
