//! Keeps the service manager informed: what the cluster does, in words and in the states of
//! `sd_notify(3)`, and that the core takes its turns.
//!
//! ```text
//!            READY                RELOADING
//!  Starting ───────▶ Serving ─────────────────▶ Reloading
//!     │                │  ▲                         │ │
//!     │                │  └─────────────────────────┘ │
//!     │                │             READY            │
//!     └────────────────┴──────────────────────────────┴──▶ Stopping
//!                                                 STOPPING
//! ```
//!
//! The core itself sends all of it, at the end of a turn. A core that hangs sends nothing: the
//! service manager then ends this process, and the next supervisor adopts the cluster.

use std::time::{Duration, Instant};

use super::connection_count::Connections;
use super::core::Core;
use crate::api::NodeState;
use crate::base::telemetry::Throttle;
use crate::base::units::grouped;
use crate::platform::service_manager::{Notification, ServiceManager};

/// Time between two counts of the connections, for the status.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);
/// How many signs of life are sent in the time after which the service manager ends this process.
const SIGNS_OF_LIFE: u32 = 3;
/// Time between two reports that the service manager takes no notification.
const REPORT_INTERVAL: Duration = Duration::from_mins(10);

/// What the service manager was notified of.
pub(super) struct Notifier {
    manager: Option<ServiceManager>,
    phase: Phase,
    status: String,
    /// The number of reloads that have begun.
    reloads: u64,
    /// Clients' connections when they were last counted.
    connections: u64,
    next_count: Instant,
    next_alive: Option<Instant>,
    errors: Throttle,
}

/// What the cluster does, as a service manager sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first start is not over.
    Starting,
    /// Everything serves, or is restarted.
    Serving,
    /// A reload is in progress.
    Reloading,
    /// Everything is being stopped.
    Stopping,
}

impl Notifier {
    /// Notifies `manager`, if there is one.
    pub(super) fn new(manager: Option<ServiceManager>, now: Instant) -> Notifier {
        Notifier {
            manager,
            phase: Phase::Starting,
            status: String::new(),
            reloads: 0,
            connections: 0,
            next_count: now,
            next_alive: manager.and_then(ServiceManager::watchdog).map(|_| now),
            errors: Throttle::new(REPORT_INTERVAL),
        }
    }

    /// Connections per node were counted.
    pub(super) fn counted(&mut self, connections: &Connections) {
        self.connections = connections.values().map(|by| by.tcp + by.http).sum();
    }

    /// When a sign of life is due.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.next_alive
    }

    // Private

    /// The notification that the cluster's `phase` makes necessary, after `reloads` reloads.
    /// Several can follow one another.
    fn advance(&mut self, phase: Phase, reloads: u64) -> Option<Notification<'static>> {
        let (next, notification) = match (self.phase, phase) {
            (Phase::Stopping, _) | (Phase::Starting, Phase::Starting) => return None,
            (_, Phase::Stopping) => (Phase::Stopping, Notification::Stopping),
            (Phase::Starting, _) | (Phase::Reloading, Phase::Starting | Phase::Serving) => {
                (Phase::Serving, Notification::Ready)
            }
            // A reload can be over within one turn.
            (Phase::Serving, _) if phase == Phase::Reloading || reloads != self.reloads => {
                (Phase::Reloading, Notification::Reloading)
            }
            (Phase::Serving | Phase::Reloading, _) => return None,
        };
        self.phase = next;
        self.reloads = reloads;
        Some(notification)
    }

    fn is_alive_due(&mut self, now: Instant) -> bool {
        let watchdog = self.manager.and_then(ServiceManager::watchdog);
        match (watchdog, self.next_alive) {
            (Some(watchdog), Some(at)) if now >= at => {
                self.next_alive = Some(now + watchdog / SIGNS_OF_LIFE);
                true
            }
            _ => false,
        }
    }

    fn send(&mut self, notifications: &[Notification<'_>], now: Instant) {
        let Some(manager) = self.manager else { return };
        if let Err(error) = manager.notify(notifications)
            && self.errors.after(now).is_some()
        {
            tracing::warn!("the service manager takes no notifications: {error}");
        }
    }
}

impl Core {
    /// Notifies the service manager of what has changed, and that the core has taken a turn.
    pub(super) fn notify(&mut self, now: Instant) {
        if self.notifier.manager.is_none() {
            return;
        }
        let phase = self.phase();
        let reloads = self.reloads.begun();
        while let Some(notification) = self.notifier.advance(phase, reloads) {
            self.notifier.send(&[notification], now);
        }
        let status = self.summary(phase);
        if status != self.notifier.status {
            self.notifier.send(&[Notification::Status(&status)], now);
            self.notifier.status = status;
        }
        if self.notifier.is_alive_due(now) {
            self.notifier.send(&[Notification::Alive], now);
        }
        if now >= self.notifier.next_count {
            self.notifier.next_count = now + COUNT_INTERVAL;
            self.count();
        }
    }

    // Private

    fn phase(&self) -> Phase {
        if self.shutdown.is_some() {
            Phase::Stopping
        } else if self.reloads.any() {
            Phase::Reloading
        } else if self.waves.outcome.is_some() {
            Phase::Serving
        } else {
            Phase::Starting
        }
    }

    /// The cluster's state in a short sentence.
    fn summary(&self, phase: Phase) -> String {
        let all = self.spec.cluster.nodes.len();
        let up = self
            .health
            .ids()
            .into_iter()
            .filter(|id| self.node_state(*id) == NodeState::Up)
            .count();
        let kind = self.spec.balancer.kind();
        let balancer = match (self.balanced, self.children.is_balancer_up()) {
            (false, _) => String::new(),
            (true, true) => format!(" behind {kind}"),
            (true, false) => format!(", {kind} does not serve"),
        };
        let nodes = format!("{up} of {all} nodes up{balancer}");
        let connections = match self.notifier.connections {
            1 => "1 connection".to_owned(),
            count => format!("{} connections", grouped(count)),
        };
        match phase {
            Phase::Starting => format!("starting: {nodes}"),
            Phase::Serving => format!("{nodes}, {connections}"),
            Phase::Reloading => format!("reloading: {nodes}, {connections}"),
            Phase::Stopping => format!("stopping: {nodes}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All notifications that a phase makes necessary.
    fn all(notifier: &mut Notifier, phase: Phase, reloads: u64) -> Vec<Notification<'static>> {
        std::iter::from_fn(|| notifier.advance(phase, reloads)).collect()
    }

    #[test]
    fn each_change_is_notified_once() {
        let mut notifier = Notifier::new(None, Instant::now());
        assert_eq!(all(&mut notifier, Phase::Starting, 0), []);
        assert_eq!(all(&mut notifier, Phase::Serving, 0), [Notification::Ready]);
        assert_eq!(all(&mut notifier, Phase::Serving, 0), []);
        // A restart of a node.
        assert_eq!(all(&mut notifier, Phase::Starting, 0), []);
        assert_eq!(all(&mut notifier, Phase::Reloading, 1), [Notification::Reloading]);
        assert_eq!(all(&mut notifier, Phase::Reloading, 2), []);
        assert_eq!(all(&mut notifier, Phase::Stopping, 2), [Notification::Stopping]);
        assert_eq!(all(&mut notifier, Phase::Stopping, 2), []);
    }

    #[test]
    fn a_reload_within_one_turn_is_notified_too() {
        let mut notifier = Notifier::new(None, Instant::now());
        let both = [Notification::Reloading, Notification::Ready];
        assert_eq!(all(&mut notifier, Phase::Serving, 0), [Notification::Ready]);
        assert_eq!(all(&mut notifier, Phase::Serving, 1), both);
        assert_eq!(all(&mut notifier, Phase::Reloading, 2), both[..1]);
        assert_eq!(all(&mut notifier, Phase::Serving, 2), both[1..]);
    }

    #[test]
    fn a_reload_right_after_the_start_comes_after_ready() {
        let mut notifier = Notifier::new(None, Instant::now());
        let both = [Notification::Ready, Notification::Reloading];
        assert_eq!(all(&mut notifier, Phase::Reloading, 1), both);
    }
}
