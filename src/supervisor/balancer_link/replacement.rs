//! Replaces a balancer instance without a hand-over: the old process stops accepting and keeps its
//! connections; the new process starts on the ports that this frees.

use std::time::Instant;

use crate::platform::Identity;
use crate::supervisor::core::Core;
use crate::supervisor::overrides::Finding;
use crate::supervisor::process::child::{Child, Event, State};
use crate::supervisor::rollout::Who;

impl Core {
    /// Replaces instances that something outside this supervisor asked to end: they accept no
    /// connections any more, and clients would be refused until the last open connection has ended.
    pub(in crate::supervisor) fn replace_leaving(&mut self, now: Instant) {
        let leaving = self
            .overrides
            .confirmed()
            .filter_map(|(who, finding)| match (who, finding) {
                (Who::Balancer(instance), Finding::Leaving) => Some(instance),
                _ => None,
            });
        for instance in leaving.collect::<Vec<_>>() {
            let child = self.setting.title(Who::Balancer(instance));
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
        let who = Who::Balancer(instance);
        let old = self.children.get(&who).and_then(Child::process)?;
        self.silence(who);
        self.overrides.forget(who);
        self.liveness.remove(&who);
        if let Err(error) = old.signal_group(self.setting.balancer.drain_signal()) {
            tracing::error!(pid = old.pid, "the old process keeps taking clients: {error}");
        }
        self.children
            .insert(Who::Retired(old.pid), Child::retired(old, now));
        if let Some(child) = self.children.get_mut(&who) {
            child.state = State::Stopped;
        }
        self.apply(who, Event::Start, now);
        self.children.get(&who).and_then(Child::process)
    }
}
