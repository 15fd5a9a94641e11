//! `reload`: by a successor ([`super::succession`]), or by the process that runs ([`super::rereading`]).

use std::sync::Arc;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::child::State;
use super::core::Core;
use super::prepare::Prepared;
use super::reload::{Phase, Reload, Reply};
use super::rollout::Who;
use super::setting::Setting;
use super::tail::tail;
use super::writing::{write_all, write_files};
use crate::api::{Refusal, Reloaded};
use crate::balancer::ReloadBy;

/// The instance that is reloaded. With several, each will be.
pub(super) const BALANCER: Who = Who::Balancer(0);
/// Lines of a failing instance's log that are shown.
const LOG_LINES: usize = 12;

impl Core {
    /// Puts what is prepared in force; the reply comes when that is done, or has failed.
    pub(super) fn reload(&mut self, prepared: Prepared, reply: Reply, now: Instant) {
        if let Err(refusal) = self.refuse_while_busy() {
            let _nobody_waits = reply.send(Err(refusal));
            return;
        }
        if let Some(reload) = [&mut self.reload, &mut self.next_reload]
            .into_iter()
            .flatten()
            .find(|r| !r.has_begun())
        {
            reload.replace(prepared, reply);
            return;
        }
        if self.reload.is_some() {
            self.next_reload = Some(Reload::new(prepared, reply, now));
            return;
        }
        match self.children.get(&BALANCER).map(|child| &child.state) {
            Some(State::Up { since, .. }) => {
                self.reload = Some(Reload::new(prepared, reply, self.settled(*since)));
            }
            Some(State::Stopped) | None => {
                let outcome = write_all(&prepared, &self.away()).map_err(|error| Refusal {
                    error: format!("not reloaded: {error}"),
                    hint: None,
                });
                if outcome.is_ok() {
                    self.put_in_force(prepared, now);
                }
                let _nobody_waits = reply.send(outcome.map(|()| Reloaded::default()));
            }
            Some(_) => {
                let error = format!("{} does not run just now", self.setting.balancer.kind());
                let hint = Some("it is being restarted; try again".to_owned());
                let _nobody_waits = reply.send(Err(Refusal { error, hint }));
            }
        }
    }

    /// Whether a new balancer instance is about to take over.
    pub(super) fn is_reloading(&self) -> bool {
        self.reload.is_some()
    }

    /// Does what is due.
    pub(super) fn go_on_with_reload(&mut self, now: Instant) {
        self.children
            .retain(|who, child| !matches!(who, Who::Retired(_)) || child.state != State::Stopped);
        if self.reload.is_none()
            && let Some(State::Up { since, .. }) = self.children.get(&BALANCER).map(|child| &child.state)
        {
            let settled = self.settled(*since);
            self.reload = self.next_reload.take().map(|next| next.not_before(settled));
        }
        let Some(reload) = &mut self.reload else { return };
        match reload.phase {
            Phase::Waiting { until } if now >= until => {
                let changes = self.files != reload.prepared.files;
                match self.setting.balancer.reload() {
                    _ if !changes => self.reload_done(None, now),
                    ReloadBy::Successor { .. } => {
                        reload.phase = Phase::Saving;
                        self.save_states();
                    }
                    ReloadBy::Itself | ReloadBy::Workers(_) => {
                        reload.phase = Phase::Telling;
                        self.tell_to_reread(now);
                    }
                }
            }
            Phase::Starting {
                process,
                until: Some(until),
            } if now >= until => {
                reload.phase = Phase::Starting { process, until: None };
                if let Err(error) = process.signal_group(Signal::SIGKILL) {
                    tracing::error!(pid = process.pid, "the new instance was not killed: {error}");
                }
            }
            Phase::Waiting { .. } | Phase::Saving | Phase::Telling | Phase::Starting { .. } => {}
        }
    }

    /// The old configuration stays in force, and on disk.
    pub(super) fn reload_failed(&mut self, why: &str, now: Instant) {
        let Some(reload) = self.reload.take() else { return };
        if let Err(error) = write_files(&self.setting, &self.files, &self.away()) {
            tracing::error!("the old configuration was not written back: {error}");
        }
        let since = self.log_starts.get(&BALANCER).copied().unwrap_or(0);
        let said = tail(
            &self.setting.run_dir.log(self.setting.balancer.kind().name()),
            since,
            LOG_LINES,
        );
        let said: String = said.iter().flat_map(|line| ["\n    ", line]).collect();
        tracing::error!("not reloaded: {why}");
        let error = format!("not reloaded: {why}{said}");
        let hint = Some("the old configuration is still in force".to_owned());
        reload.answer(&Err(Refusal { error, hint }));
        self.have_opinion(now);
    }

    /// What is on its way is in force: by `pid`, or without anything for the balancer to do.
    pub(super) fn reload_done(&mut self, pid: Option<u32>, now: Instant) {
        let Some(reload) = self.reload.take() else { return };
        if let Some(pid) = pid {
            tracing::info!(pid, "reloaded");
        } else {
            tracing::info!("reloaded; nothing changes for the balancer");
        }
        let prepared = reload.answer(&Ok(Reloaded { pid }));
        self.put_in_force(prepared, now);
    }

    // Private

    /// When an instance that has run since `since` may be reloaded.
    fn settled(&self, since: Instant) -> Instant {
        match self.setting.balancer.reload() {
            ReloadBy::Successor { settled } => since + settled,
            ReloadBy::Itself | ReloadBy::Workers(_) => since,
        }
    }

    fn put_in_force(&mut self, prepared: Prepared, now: Instant) {
        let Prepared { setting, files, .. } = prepared;
        let setting = Arc::new(setting);
        for (index, node) in setting.cluster.nodes.iter().enumerate() {
            self.vitals[index].ask_as(setting.probes(node), now);
        }
        self.published.store(setting.clone());
        self.setting = setting;
        self.files = files;
    }
}

/// Where in the balancer's log begins what it has to say about this reload.
pub(super) fn log_end(setting: &Setting) -> u64 {
    let log = setting.run_dir.log(setting.balancer.kind().name());
    std::fs::metadata(&log).map_or(0, |log| log.len())
}
