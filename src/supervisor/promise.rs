//! An order that is answered when the balancer has heard of it.

use std::time::{Duration, Instant};

use super::core::Core;
use super::news::Reply;
use super::reload::Reload;
use crate::api::Refusal;

/// A balancer that has not heard of an order for so long does not listen.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whoever gave an order, and waits until it is in force.
pub(super) struct Promise {
    node: String,
    pub(super) until: Instant,
    reply: Reply,
}

impl Core {
    /// Answers an order about the node at once if it is `refused`, else when the balancer has heard of it.
    pub(super) fn promise(&mut self, node: &str, outcome: Result<(), Refusal>, reply: Reply, now: Instant) {
        match outcome {
            Ok(()) => self.promises.push(Promise {
                node: node.to_owned(),
                until: now + PATIENCE,
                reply,
            }),
            Err(refusal) => {
                let _nobody_waits = reply.send(Err(refusal));
            }
        }
    }

    /// Answers those whose orders are in force, and those who have waited for too long.
    pub(super) fn keep_promises(&mut self, now: Instant) {
        // A new instance may have read the orders before this one; it is told when it has taken over.
        let takes_over = self.reload.as_ref().is_some_and(Reload::has_begun);
        for promise in std::mem::take(&mut self.promises) {
            let drained = self.drains.contains_key(&promise.node);
            // A balancer that does not run reads of the order when it starts.
            let heard = self.all_heard(&promise.node, |view| view.drained == drained);
            let _nobody_waits = if heard && !takes_over {
                promise.reply.send(Ok(()))
            } else if now >= promise.until {
                let error = format!("{} has not heard of it", self.setting.balancer.kind());
                let hint = Some("the order stands, and is given again until it is heard".to_owned());
                promise.reply.send(Err(Refusal { error, hint }))
            } else {
                self.promises.push(promise);
                continue;
            };
        }
    }
}
