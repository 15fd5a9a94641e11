//! Which of several balancer instances get clients: the shared listeners are steered and closed as
//! instances start and end.

use crate::supervisor::core::Core;
use crate::supervisor::process::child::State;
use crate::supervisor::rollout::ChildId;
use crate::supervisor::snapshot::Activity;

impl Core {
    /// Gives clients to the instances that serve, or will in a moment. Closes everything when no
    /// balancer is wanted any more.
    pub(in crate::supervisor) fn steer(&mut self) {
        if self.shutdown.is_some() || !self.balanced {
            self.shards.close();
        }
        self.shards.serve_stats(&self.published);
        let living = self
            .children
            .balancers()
            .map(|(instance, child)| match child.state {
                State::Stopped | State::Failed => false,
                // An instance that has died is back within a second.
                _ => self.activity(ChildId::Balancer(instance), child) != Activity::Silent,
            })
            .collect();
        self.shards.steer(living);
    }
}
