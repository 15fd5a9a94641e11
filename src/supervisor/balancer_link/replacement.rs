//! Replaces a balancer instance without a hand-over: the old process stops accepting and keeps its
//! connections; the new process starts on the ports that this frees.

use std::time::Instant;

use crate::platform::Identity;
use crate::supervisor::core::Core;
use crate::supervisor::overrides::Finding;
use crate::supervisor::process::child::Event;
use crate::supervisor::waves::ChildId;

impl Core {
    /// Replaces instances that something outside this supervisor asked to end: they accept no
    /// connections any more, and clients would be refused until the last open connection has ended.
    pub(in crate::supervisor) fn replace_leaving(&mut self, now: Instant) {
        let leaving = self
            .overrides
            .confirmed()
            .filter_map(|(id, finding)| match (id, finding) {
                (ChildId::Balancer(instance), Finding::Leaving) => Some(instance),
                _ => None,
            });
        for instance in leaving.collect::<Vec<_>>() {
            let child = self.spec.title(ChildId::Balancer(instance));
            tracing::warn!(
                child,
                "accepts no connections any more: it got a stop signal from outside; a new one is started"
            );
            self.replace(instance, now);
        }
    }

    /// Starts a new process for the instance; the old one keeps its connections. Returns the new
    /// process if it could be started.
    pub(in crate::supervisor) fn replace(&mut self, instance: usize, now: Instant) -> Option<Identity> {
        let id = ChildId::Balancer(instance);
        let old = self.children.retire(self.spec.balancer.kind(), instance, now)?;
        self.link.forget(id);
        self.overrides.forget(id);
        let drain_signal = self.spec.balancer.drain_signal();
        if let Err(error) = self.processes.signal_group(old, drain_signal) {
            tracing::error!(pid = old.pid, "the old process keeps taking clients: {error}");
        }
        self.apply(id, Event::Start, now);
        self.children.process(id)
    }
}
