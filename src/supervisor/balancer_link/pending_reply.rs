//! Orders about a node. An order is answered when the balancer is in the ordered state: the order
//! was sent to it, and it was inspected after that.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::api::Refusal;
use crate::balancer::Override;
use crate::supervisor::core::Core;
use crate::supervisor::waves::ChildId;

/// Time for a balancer to receive an order and to carry it out.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The answer to an order about a node: the overrides that the order undid, or why it is not in
/// force.
pub(in crate::supervisor) type Reply = oneshot::Sender<Result<Vec<String>, Refusal>>;

/// An order that is not answered yet.
pub(in crate::supervisor) struct PendingReply {
    node: String,
    pub(in crate::supervisor) until: Instant,
    /// When the last instance received the order.
    accepted_at: Option<Instant>,
    undone: Vec<String>,
    reply: Reply,
}

impl Core {
    /// Answers an order about the node: at once if it is refused, otherwise when it is in force.
    /// `outcome` lists the overrides that it undid.
    pub(in crate::supervisor) fn reply_when_in_force(
        &mut self,
        node: &str,
        outcome: Result<Vec<String>, Refusal>,
        reply: Reply,
        now: Instant,
    ) {
        match outcome {
            Ok(undone) => self.link.await_reply(PendingReply {
                node: node.to_owned(),
                until: now + ANSWER_TIMEOUT,
                accepted_at: None,
                undone,
                reply,
            }),
            Err(refusal) => {
                let _client_may_be_gone = reply.send(Err(refusal));
            }
        }
    }

    /// A balancer instance received an order about the node and undid `undone`, which others had
    /// set.
    pub(in crate::supervisor) fn note_undone(&mut self, node: &str, undone: Vec<String>) {
        for sentence in undone {
            tracing::info!(node, "took back: {sentence}");
            for pending in self
                .link
                .pending_replies()
                .iter_mut()
                .filter(|pending| pending.node == node)
            {
                if !pending.undone.contains(&sentence) {
                    pending.undone.push(sentence.clone());
                }
            }
        }
    }

    /// Answers the orders that are in force, and those that have waited too long.
    pub(in crate::supervisor) fn answer_pending_replies(&mut self, now: Instant) {
        // A new instance may have read its files before this order; the order is sent to it after
        // it has taken over.
        let takes_over = self.reloads.takes_over();
        for mut pending in std::mem::take(self.link.pending_replies()) {
            if let Err(refusal) = self.node_id(&pending.node) {
                // It has left the cluster meanwhile.
                let _client_may_be_gone = pending.reply.send(Err(refusal));
                continue;
            }
            let drained = self.drains.has(&pending.node);
            let orders = self.drains.orders(&pending.node);
            // A balancer that does not run reads the order when it starts.
            let is_accepted = !takes_over
                && self.all_accepted(&pending.node, |state| {
                    state.drained == drained && state.orders == orders
                });
            let accepted_at = is_accepted.then(|| *pending.accepted_at.get_or_insert(now));
            let objections =
                accepted_at.and_then(|accepted_at| self.objections(&pending.node, accepted_at, now));
            let answer = match objections {
                Some(objections) if objections.is_empty() => Ok(std::mem::take(&mut pending.undone)),
                objections if now >= pending.until => Err(self.not_in_force(objections)),
                _ => {
                    self.link.await_reply(pending);
                    continue;
                }
            };
            let _client_may_be_gone = pending.reply.send(answer);
        }
    }

    // Private

    /// Why an order is not in force in time.
    fn not_in_force(&self, objections: Option<Vec<(ChildId, Override)>>) -> Refusal {
        let kind = self.spec.balancer.kind();
        let found = objections.unwrap_or_default();
        let found: Vec<(ChildId, &Override)> = found.iter().map(|(id, found)| (*id, found)).collect();
        match found.iter().map(|(_, found)| &found.setting).min() {
            Some(strictest) => Refusal {
                error: format!(
                    "{kind} did not carry out the order: {}",
                    self.reason(&found, strictest)
                ),
                hint: Some(
                    "`clusterctl reload` starts it again from the profile; the order stays in place"
                        .to_owned(),
                ),
            },
            None => Refusal {
                error: format!(
                    "{kind} did not accept the order within {} s",
                    ANSWER_TIMEOUT.as_secs()
                ),
                hint: Some("the order stays in place and is sent again until it is carried out".to_owned()),
            },
        }
    }
}
