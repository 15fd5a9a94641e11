//! `reload`: a new balancer instance takes the listeners over, and the old one ends with its last connection; or the one
//! that runs reads its files again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::child::{Child, State};
use super::core::Core;
use super::drain::Drain;
use super::news::News;
use super::prepare::Prepared;
use super::reload::{Phase, Reload, Reply};
use super::rollout::Who;
use super::setting::Setting;
use super::tail::tail;
use super::watching::{self, Ready};
use crate::api::{Refusal, Reloaded};
use crate::balancer::{ConfigFile, ReloadBy};
use crate::platform::{Identity, RunDir};
use crate::runtime::{RuntimeError, Socket};

/// The instance that reloads replace. With several, each will have its own.
const BALANCER: Who = Who::Balancer(0);
/// What cannot happen: who reloads itself is told by its socket.
const NO_SOCKET: &str = "it has no runtime API";
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
                let outcome = write(&prepared.files).map_err(|error| Refusal {
                    error: format!("not reloaded: {error}"),
                    hint: None,
                });
                if outcome.is_ok() {
                    self.put_in_force(prepared, now);
                    self.write_orders();
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
                    _ if !changes => self.finish_without_successor(now),
                    ReloadBy::Successor { .. } => {
                        reload.phase = Phase::Saving;
                        self.save();
                    }
                    ReloadBy::Itself => {
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

    /// The old instance has told its view of its servers: the new one may begin.
    pub(super) fn saved(&mut self, states: Result<String, String>, now: Instant) {
        let (Some(reload), Some(old)) = (
            &mut self.reload,
            self.children.get(&BALANCER).and_then(Child::process),
        ) else {
            return self.reload_failed("the running instance has ended", now);
        };
        let states = match states {
            Ok(states) => states,
            Err(error) => {
                return self.reload_failed(&format!("the running instance does not answer: {error}"), now);
            }
        };
        let setting = &reload.prepared.setting;
        let program = setting
            .balancer
            .serve(&setting.plan, &setting.run_dir, &[old.pid]);
        let log = setting.run_dir.log(setting.balancer.kind().name());
        let begun = write_all(&reload.prepared, &self.drains)
            // More than orders: it also knows who is up.
            .and_then(|()| RunDir::replace(&setting.run_dir.haproxy_state(), states.as_bytes()))
            .and_then(|()| {
                self.log_starts
                    .insert(BALANCER, std::fs::metadata(&log).map_or(0, |log| log.len()));
                program.spawn(&log)
            });
        match begun {
            Ok(process) => {
                let ready = Ready::Balancer(setting.socket(0));
                reload.starting(process.identity(), now);
                watching::watch(process, ready, self.news.clone());
                // Written at once: a supervisor that dies now must not leave an instance that nobody knows.
                self.record();
            }
            Err(error) => self.reload_failed(&format!("the new instance cannot be started: {error}"), now),
        }
    }

    /// The new instance answers: it is in force.
    pub(super) fn succeeded(&mut self, process: Identity, now: Instant) {
        if self.reload.as_ref().and_then(Reload::successor) != Some(process) {
            return;
        }
        let Some(reload) = self.reload.take() else { return };
        if let Some(child) = self.children.get_mut(&BALANCER) {
            if let Some(old) = child.process() {
                self.children
                    .insert(Who::Retired(old.pid), Child::retired(old, now));
            }
            if let Some(child) = self.children.get_mut(&BALANCER) {
                child.state = State::Up { process, since: now };
            }
        }
        tracing::info!(pid = process.pid, "reloaded");
        let prepared = reload.answer(&Ok(Reloaded {
            pid: Some(process.pid),
        }));
        self.put_in_force(prepared, now);
        self.give_voice(BALANCER, 0, now);
    }

    /// The running instance has read its files again, or refuses them.
    pub(super) fn reread(&mut self, outcome: Result<(), String>, now: Instant) {
        if let Err(why) = outcome {
            return self.reload_failed(&why, now);
        }
        let Some(reload) = self.reload.take() else { return };
        let pid = self
            .children
            .get(&BALANCER)
            .and_then(Child::process)
            .map(|it| it.pid);
        tracing::info!(pid, "reloaded");
        let prepared = reload.answer(&Ok(Reloaded { pid }));
        self.put_in_force(prepared, now);
        if self.children.get(&BALANCER).is_some_and(Child::is_up) {
            self.give_voice(BALANCER, 0, now);
        }
    }

    /// A process that is none of our children has ended: the new instance, if there is one.
    pub(super) fn stranger_ended(&mut self, process: Identity, how: &str, now: Instant) {
        if self.reload.as_ref().and_then(Reload::successor) == Some(process) {
            self.reload_failed(&format!("the new instance {how}"), now);
        }
    }

    // Private

    /// When an instance that has run since `since` may be reloaded.
    fn settled(&self, since: Instant) -> Instant {
        match self.setting.balancer.reload() {
            ReloadBy::Successor { settled } => since + settled,
            ReloadBy::Itself => since,
        }
    }

    fn tell_to_reread(&mut self, now: Instant) {
        let Some(reload) = &self.reload else { return };
        let setting = &reload.prepared.setting;
        let log = setting.run_dir.log(setting.balancer.kind().name());
        self.log_starts
            .insert(BALANCER, std::fs::metadata(&log).map_or(0, |log| log.len()));
        // Where it is now: the files may name another socket.
        let socket = self.setting.socket(0).ok_or(NO_SOCKET.to_owned());
        let told = write_all(&reload.prepared, &self.drains).map_err(|error| error.to_string());
        match told.and(socket) {
            Ok(socket) => {
                let news = self.news.clone();
                tokio::spawn(async move {
                    let outcome = Socket::new(socket).reload().await.map_err(words);
                    let _nobody_listens_after_the_end = news.send(News::Reread(outcome)).await;
                });
            }
            Err(why) => self.reload_failed(&why, now),
        }
    }

    fn save(&self) {
        let (socket, news) = (self.setting.socket(0), self.news.clone());
        tokio::spawn(async move {
            let states = match socket {
                Some(socket) => Socket::new(socket)
                    .servers_state()
                    .await
                    .map_err(|error| error.to_string()),
                None => Ok(String::new()),
            };
            let _nobody_listens_after_the_end = news.send(News::Saved(states)).await;
        });
    }

    /// The files are the same: only the supervisor itself has something to learn.
    fn finish_without_successor(&mut self, now: Instant) {
        let Some(reload) = self.reload.take() else { return };
        tracing::info!("reloaded; nothing changes for the balancer");
        let prepared = reload.answer(&Ok(Reloaded::default()));
        self.put_in_force(prepared, now);
    }

    /// The old configuration stays in force, and on disk.
    fn reload_failed(&mut self, why: &str, now: Instant) {
        let Some(reload) = self.reload.take() else { return };
        if let Err(error) = write(&self.files) {
            tracing::error!("the old configuration was not written back: {error}");
        }
        self.write_orders();
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

// Private

/// What is prepared, and who is drained.
fn write_all(prepared: &Prepared, drains: &BTreeMap<String, Drain>) -> std::io::Result<()> {
    let Setting {
        balancer,
        cluster,
        run_dir,
        ..
    } = &prepared.setting;
    let drained = drains.keys().cloned().collect();
    write(&prepared.files)?;
    write(&balancer.order_files(cluster, run_dir, &drained))
}

/// Why the running instance did not do as it was told.
fn words(error: RuntimeError) -> String {
    match error {
        RuntimeError::Refused { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

fn write(files: &[ConfigFile]) -> std::io::Result<()> {
    files
        .iter()
        .try_for_each(|file| RunDir::replace(&file.path, file.content.as_bytes()))
}
