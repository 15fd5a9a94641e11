//! A reload by a successor: a new balancer instance takes the listeners over, and the old one ends with its last
//! connection.

use std::time::Instant;

use super::child::{Child, State};
use super::core::Core;
use super::news::News;
use super::reload::Reload;
use super::reloading::{BALANCER, log_end};
use super::rollout::Who;
use super::watching::{self, Ready};
use super::writing::write_all;
use crate::platform::{Identity, RunDir};
use crate::runtime::Socket;

impl Core {
    /// Asks the running instance for its view of its servers.
    pub(super) fn save_states(&self) {
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

    /// The old instance has told its view of its servers: the new one may begin.
    pub(super) fn saved(&mut self, states: Result<String, String>, now: Instant) {
        let away = self.away();
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
        let program = setting.balancer.serve(setting.deployment(), 0, Some(old.pid));
        let log = setting.run_dir.log(setting.balancer.kind().name());
        let begun = write_all(&reload.prepared, &away)
            // More than orders: it also knows who is up.
            .and_then(|()| {
                RunDir::replace(
                    &setting.run_dir.haproxy_state(setting.plan.balancer.instance(0)),
                    states.as_bytes(),
                )
            })
            .and_then(|()| {
                self.log_starts.insert(BALANCER, log_end(setting));
                program.spawn(&log)
            });
        match begun {
            Ok(process) => {
                let ready = Ready::Balancer(setting.sign(0));
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
        if let Some(child) = self.children.get_mut(&BALANCER) {
            if let Some(old) = child.process() {
                self.children
                    .insert(Who::Retired(old.pid), Child::retired(old, now));
            }
            if let Some(child) = self.children.get_mut(&BALANCER) {
                child.state = State::Up { process, since: now };
            }
        }
        self.reload_done(Some(process.pid), now);
        self.give_voice(BALANCER, now);
    }

    /// A process that is none of our children has ended: the new instance, if there is one.
    pub(super) fn stranger_ended(&mut self, process: Identity, how: &str, now: Instant) {
        if self.reload.as_ref().and_then(Reload::successor) == Some(process) {
            self.reload_failed(&format!("the new instance {how}"), now);
        }
    }
}
