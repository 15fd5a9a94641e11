//! Which of several balancer instances get clients: the shared listeners are opened, steered and
//! closed as instances start and end.

use super::listeners::Listeners;
use super::stats_page::StatsPage;
use crate::supervisor::core::Core;
use crate::supervisor::process::child::State;
use crate::supervisor::rollout::ChildId;
use crate::supervisor::snapshot::Activity;

impl Core {
    /// Opens the listeners that several balancer instances share, unless they are open; called
    /// before the first of them starts.
    pub(in crate::supervisor) fn listen(&mut self) -> Result<(), String> {
        if self.shared_listeners.is_none() {
            self.shared_listeners = Listeners::open(&self.spec).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Gives clients to the instances that serve, or will in a moment. Closes everything when no
    /// balancer is wanted any more, so that clients are refused and do not wait in vain.
    pub(in crate::supervisor) fn steer(&mut self) {
        if self.shutdown.is_some() || !self.balanced {
            self.shared_listeners = None;
        }
        let address = self
            .spec
            .cluster
            .listen
            .stats
            .filter(|_| self.shared_listeners.is_some());
        if address.is_none() || self.stats_page.is_none() {
            self.stats_page = address.map(|address| StatsPage::serve(address, self.published.clone()));
        }
        let balancers = self.children.balancers();
        let living = balancers
            .map(|(instance, child)| match child.state {
                State::Stopped | State::Failed => false,
                // An instance that has died is back within a second.
                _ => self.activity(ChildId::Balancer(instance), child) != Activity::Silent,
            })
            .collect();
        if let Some(shared_listeners) = &mut self.shared_listeners {
            shared_listeners.steer(living);
        }
    }

    /// Disconnects clients that reached an instance before it was found to get no clients.
    pub(in crate::supervisor) fn turn_away(&self) {
        if let Some(shared_listeners) = &self.shared_listeners {
            shared_listeners.turn_away();
        }
    }

    /// The instance's process is gone.
    pub(in crate::supervisor) fn instance_gone(&mut self, id: ChildId) {
        if let (ChildId::Balancer(instance), Some(shared_listeners)) = (id, &mut self.shared_listeners) {
            shared_listeners.instance_gone(instance);
        }
    }
}
