//! `reload`: by a successor ([`super::reload::takeover`]), or by the running process
//! ([`super::reload::in_place`]). Of several instances, one is reloaded first, then the others
//! ([`super::reload::rolling`]).

pub(super) mod in_place;
pub(super) mod reloads;
pub(super) mod reply;
pub(super) mod rolling;
pub(super) mod state;
pub(super) mod takeover;

use std::time::Instant;

use nix::sys::signal::Signal;

use super::balancer_link::config_files::{write_all, write_files};
use super::core::Core;
use super::logs::tail::tail;
use super::prepare::{Prepared, needs_new_process};
use super::process::child::{Child, State};
use super::reload::state::{Phase, Reload, Reloaded, Reply, answer};
use super::spec::Spec;
use super::switch::state::Purpose;
use super::waves::ChildId;
use crate::api::Refusal;
use crate::balancer::ReloadBy;
use crate::platform::Identity;

/// How many lines of a failing instance's log are shown.
pub(in crate::supervisor) const LOG_LINES: usize = 12;

impl Core {
    /// Puts `prepared` in force; the reply is sent when that is done, or has failed.
    pub(in crate::supervisor) fn reload(&mut self, prepared: Prepared, reply: Reply, now: Instant) {
        if prepared.spec.balancer.kind() != self.spec.balancer.kind() {
            let _client_may_be_gone = reply.send(Err(self.taken_over_meanwhile()));
            return;
        }
        self.reloads.count();
        let is_running = self.children.is_balancer_up();
        if is_running && !self.reloads.is_active() && needs_new_process(&self.spec, &prepared.spec) {
            return self.begin_switch(prepared, Purpose::Reload(reply), now);
        }
        if let Some(reload) = [&mut self.reloads.current, &mut self.reloads.next]
            .into_iter()
            .flatten()
            .find(|r| !r.has_begun())
        {
            reload.replace(prepared, reply);
            return;
        }
        if self.reloads.is_active() {
            self.reloads.next = Some(Reload::new(prepared, reply, now));
            return;
        }
        match self.first_to_reload() {
            Some(_) => self.reloads.current = Some(Reload::new(prepared, reply, now)),
            None if self
                .children
                .balancers()
                .all(|(_, child)| child.state == State::Stopped) =>
            {
                let outcome = write_all(&prepared, &self.away_in(&prepared.spec)).map_err(|error| Refusal {
                    error: format!("not reloaded: {error}"),
                    hint: None,
                });
                if outcome.is_ok() {
                    self.put_in_force(prepared, now);
                }
                let _client_may_be_gone = reply.send(outcome.map(|()| Reloaded::default()));
            }
            None => {
                let error = format!("{} does not run", self.spec.balancer.kind());
                let hint = Some("it is being restarted; try again".to_owned());
                let _client_may_be_gone = reply.send(Err(Refusal { error, hint }));
            }
        }
    }

    /// Does what is due for the reload.
    pub(in crate::supervisor) fn advance_reload(&mut self, now: Instant) {
        self.children.drop_ended_retired();
        if self.shutdown.is_some() {
            return self.abandon_reload();
        }
        self.advance_rolling(now);
        if !self.reloads.is_active() && self.first_to_reload().is_some() {
            self.reloads.current = self.reloads.next.take();
        }
        self.refuse_next_without_balancer();
        let first = self.first_to_reload();
        let settled = first.map_or(now, |(_, since)| self.settled(since));
        let needs_rewrite = self.needs_rewrite();
        let is_unreachable = first.is_some_and(|(instance, _)| self.is_unreachable(instance));
        let Some(reload) = &mut self.reloads.current else {
            return;
        };
        match &mut reload.phase {
            Phase::Waiting { until } if now < settled => *until = settled,
            Phase::Waiting { .. } => {
                reload.instance = first.map_or(0, |(instance, _)| instance);
                let changes = self.files != reload.prepared.files || needs_rewrite;
                match self.spec.balancer.reload() {
                    _ if !changes => self.reload_done(None, now),
                    _ if is_unreachable => self.reload_aside(now),
                    ReloadBy::Successor { .. } => {
                        reload.phase = Phase::Saving;
                        let instance = reload.instance;
                        self.save_states(instance);
                    }
                    ReloadBy::Itself | ReloadBy::Workers(_) => {
                        reload.phase = Phase::Rereading;
                        self.begin_reread(now);
                    }
                }
            }
            phase => {
                let overdue = phase.advance(now);
                self.kill_successor(overdue);
            }
        }
    }

    /// The reload has failed: the old configuration stays in force, and is written back to disk.
    pub(in crate::supervisor) fn reload_failed(&mut self, why: &str, now: Instant) {
        let Some(reload) = self.reloads.current.take() else {
            return;
        };
        if let Err(error) = write_files(&self.spec, &self.files, &self.away()) {
            tracing::error!("cannot write back the old configuration: {error}");
        }
        self.listeners.keep_only(&self.spec);
        let id = ChildId::Balancer(reload.instance);
        let since = self.children.log_start(id);
        let lines = tail(&self.spec.balancer_log(), since, LOG_LINES);
        let lines: String = lines.iter().flat_map(|line| ["\n    ", line]).collect();
        tracing::error!("not reloaded: {why}");
        let error = format!("not reloaded: {why}{lines}");
        let hint = Some("the old configuration is still in force".to_owned());
        answer(reload.into_parts().1, &Err(Refusal { error, hint }));
        self.update_desired_states(now);
    }

    /// The reload is done: by the process `pid`, or without any change for the balancer.
    pub(in crate::supervisor) fn reload_done(&mut self, pid: Option<u32>, now: Instant) {
        let Some(reload) = self.reloads.current.take() else {
            return;
        };
        if let Some(pid) = pid {
            tracing::info!(pid, "reloaded");
        } else {
            tracing::info!("reloaded; nothing changes for the balancer");
        }
        let (prepared, replies) = reload.into_parts();
        self.put_in_force(prepared, now);
        // The page of several instances is the supervisor's: nothing changes for the balancer then.
        if let Err(error) = self.listeners.add(&self.spec) {
            tracing::error!("{error}");
        }
        self.listeners.keep_only(&self.spec);
        self.answer_when_inspected(replies, Reloaded { pid }, now);
    }

    /// When an instance that has run since `since` may be reloaded.
    pub(in crate::supervisor) fn settled(&self, since: Instant) -> Instant {
        match self.spec.balancer.reload() {
            ReloadBy::Successor { settled } => since + settled,
            ReloadBy::Itself | ReloadBy::Workers(_) => since,
        }
    }

    pub(in crate::supervisor) fn put_in_force(&mut self, prepared: Prepared, now: Instant) {
        let Prepared { spec, files, .. } = prepared;
        self.replace_spec(spec, files, now);
    }

    // Private

    /// Reloads an instance that cannot hand over its listeners, because its socket is gone: a new
    /// one is started beside it.
    fn reload_aside(&mut self, now: Instant) {
        let Some(reload) = &self.reloads.current else {
            return;
        };
        let instance = reload.instance;
        let written = write_all(&reload.prepared, &self.away_in(&reload.prepared.spec));
        if let Err(error) = written {
            return self.reload_failed(&error.to_string(), now);
        }
        let new = self.replace(instance, now);
        match new {
            Some(process) if self.spec.plan.balancer.instances > 1 => self.roll(process, now),
            new => self.reload_done(new.map(|process| process.pid), now),
        }
    }

    /// Refuses the reload that waits for another one, if no instance will be up again by itself.
    fn refuse_next_without_balancer(&mut self) {
        let is_left_alone =
            |(_, child): (usize, &Child)| matches!(child.state, State::Failed | State::Stopped);
        if self.reloads.is_active() || !self.children.balancers().all(is_left_alone) {
            return;
        }
        if let Some(next) = self.reloads.next.take() {
            let error = format!("{} does not run", self.spec.balancer.kind());
            answer(next.into_parts().1, &Err(Refusal { error, hint: None }));
        }
    }

    /// The instance that is reloaded first, and since when it is up: one that answers, if there is
    /// any.
    fn first_to_reload(&self) -> Option<(usize, Instant)> {
        let up = self
            .children
            .balancers()
            .filter_map(|(instance, child)| match &child.state {
                State::Up { since, .. } => {
                    Some((self.link.is_silent(ChildId::Balancer(instance)), instance, *since))
                }
                _ => None,
            });
        up.min_by_key(|(is_silent, instance, _)| (*is_silent, *instance))
            .map(|(_, instance, since)| (instance, since))
    }

    /// Everything is being stopped: the takeover is abandoned.
    fn abandon_reload(&mut self) {
        let mut replies = Vec::new();
        for reload in [self.reloads.current.take(), self.reloads.next.take()]
            .into_iter()
            .flatten()
        {
            self.kill_successor(reload.phase.successor());
            replies.extend(reload.into_parts().1);
        }
        if let Some(rolling) = self.reloads.rolling.take() {
            let (successor, waiting) = rolling.abandon();
            self.kill_successor(successor);
            replies.extend(waiting);
        }
        if let Err(refusal) = self.refuse_while_ending() {
            answer(replies, &Err(refusal));
        }
    }

    /// Kills the new instance, if it was spawned: the old one stays in force.
    fn kill_successor(&self, process: Option<Identity>) {
        if let Some(process) = process
            && let Err(error) = self.processes.signal_group(process, Signal::SIGKILL)
        {
            tracing::error!(pid = process.pid, "the new instance was not killed: {error}");
        }
    }
}

/// The end of the balancer's log: its messages about this reload begin there.
pub(in crate::supervisor) fn log_end(spec: &Spec) -> u64 {
    std::fs::metadata(spec.balancer_log()).map_or(0, |log| log.len())
}
