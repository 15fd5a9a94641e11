//! Which of several balancer instances get clients: the shared listeners are opened, steered and
//! closed as instances start and end.

use super::listeners::Listeners;
use super::stats_page::StatsPage;
use crate::supervisor::core::Core;
use crate::supervisor::process::child::State;
use crate::supervisor::rollout::Who;
use crate::supervisor::snapshot::Doing;

impl Core {
    /// Opens the listeners that several balancer instances share, unless they are open; called
    /// before the first of them starts.
    pub(in crate::supervisor) fn listen(&mut self) -> Result<(), String> {
        if self.listening.is_none() {
            self.listening = Listeners::open(&self.setting).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Gives clients to the instances that serve, or will in a moment. Closes everything when no
    /// balancer is wanted any more, so that clients are refused and do not wait in vain.
    pub(in crate::supervisor) fn steer(&mut self) {
        if self.ending.is_some() || !self.balanced {
            self.listening = None;
        }
        let address = self
            .setting
            .cluster
            .listen
            .stats
            .filter(|_| self.listening.is_some());
        if address.is_none() || self.statistics.is_none() {
            self.statistics = address.map(|address| StatsPage::serve(address, self.published.clone()));
        }
        let balancers = self.children.iter();
        let balancers = balancers.filter(|(who, _)| matches!(who, Who::Balancer(_)));
        let living = balancers
            .map(|(who, child)| match child.state {
                State::Stopped | State::Failed => false,
                // An instance that has died is back within a second.
                _ => self.doing(*who, child) != Doing::Silent,
            })
            .collect();
        if let Some(listening) = &mut self.listening {
            listening.steer(living);
        }
    }

    /// Disconnects clients that reached an instance before it was found to get no clients.
    pub(in crate::supervisor) fn turn_away(&self) {
        if let Some(listening) = &self.listening {
            listening.turn_away();
        }
    }

    /// The instance's process is gone.
    pub(in crate::supervisor) fn bereave(&mut self, who: Who) {
        if let (Who::Balancer(instance), Some(listening)) = (who, &mut self.listening) {
            listening.bereave(instance);
        }
    }
}
