//! Which balancer instances get clients: the listeners are steered and closed as instances start and
//! end.

use crate::supervisor::core::Core;
use crate::supervisor::process::child::State;
use crate::supervisor::shutdown::ClusterShutdown;
use crate::supervisor::snapshot::Activity;
use crate::supervisor::waves::ChildId;

impl Core {
    /// Gives clients to the instances that serve, or will in a moment. Closes everything when no
    /// balancer is wanted any more, or none is started again.
    pub(in crate::supervisor) fn steer(&mut self) {
        let mut instances = self.children.balancers().peekable();
        let has_failed =
            instances.peek().is_some() && instances.all(|(_, child)| child.state == State::Failed);
        let accepts = self.shutdown.as_ref().is_none_or(ClusterShutdown::accepts);
        if !accepts || !self.balanced || has_failed {
            self.listeners.close();
        }
        self.shards.serve_stats(&self.published, &self.listeners);
        let living: Vec<bool> = self
            .children
            .balancers()
            .map(|(instance, child)| match child.state {
                State::Stopped | State::Failed => false,
                // An instance that has died is back within a second.
                _ => self.activity(ChildId::Balancer(instance), child) != Activity::Silent,
            })
            .collect();
        self.listeners.steer(&self.spec, &living);
    }
}
