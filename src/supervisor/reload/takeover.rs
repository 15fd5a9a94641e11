//! A reload by a successor: a new balancer instance takes over the listeners, and the old one ends
//! with its last connection.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use super::log_end;
use super::state::Phase;
use crate::haproxy_api::Socket;
use crate::platform::{Identity, atomic_file};
use crate::render::{server_entries, states_for_successor};
use crate::supervisor::balancer_link::config_files::write_all;
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::process::processes::Running;
use crate::supervisor::process::watcher::Ready;
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::ChildId;

impl Core {
    /// Reads the server states of the running instance.
    pub(in crate::supervisor) fn save_states(&self, instance: usize) {
        let socket = self.spec.socket(instance);
        self.events.spawn(async move {
            let states = match socket {
                Some(socket) => Socket::new(socket)
                    .servers_state()
                    .await
                    .map_err(|error| error.to_string()),
                None => Ok(String::new()),
            };
            CoreEvent::ServerStates { instance, states }
        });
    }

    /// The old instance has returned its server states: the new one can start.
    pub(in crate::supervisor) fn server_states(
        &mut self,
        instance: usize,
        states: Result<String, String>,
        now: Instant,
    ) {
        let is_first = |phase: Phase, first: usize| phase == Phase::Saving && first == instance;
        match &self.reloads.current {
            Some(reload) if is_first(reload.phase, reload.instance) => {
                if let Err(why) = states.and_then(|states| self.begin_first(instance, &states, now)) {
                    self.reload_failed(&why, now);
                }
            }
            _ => self.server_states_of_another(instance, states, now),
        }
    }

    /// Spawns the successor of the instance with these server `states`, which serves as `former` says.
    pub(in crate::supervisor) fn spawn_successor(
        &mut self,
        (former, spec): (&Spec, &Spec),
        instance: usize,
        states: &str,
    ) -> Result<Identity, String> {
        let id = ChildId::Balancer(instance);
        let old = self.children.process(id);
        let old = old.ok_or("the running instance has ended")?;
        self.children.set_log_start(id, log_end(spec));
        let process = self
            .successor_of((former, spec), instance, old, states)
            .map_err(|error| format!("the new instance cannot be started: {error}"))?;
        let identity = process.identity;
        process.watch(Ready::Balancer(spec.readiness(instance)), self.events.clone());
        Ok(identity)
    }

    /// The new instance answers: it is in force.
    pub(in crate::supervisor) fn succeeded(&mut self, process: Identity, now: Instant) {
        let Some((instance, successor)) = self.reloads.successor() else {
            return;
        };
        if successor != process {
            return;
        }
        let id = ChildId::Balancer(instance);
        self.children
            .succeed(self.spec.balancer.kind(), instance, process, now);
        if self.reloads.current.is_none() {
            self.rolled(now);
        } else if self.spec.plan.balancer.instances > 1 {
            self.roll(process, now);
        } else {
            self.reload_done(Some(process.pid), now);
        }
        self.begin_sync(id, now);
    }

    /// A process that is not one of the children has ended: the new instance, if there is one.
    pub(in crate::supervisor) fn successor_ended(&mut self, process: Identity, how: &str, now: Instant) {
        match self.reloads.successor() {
            Some((_, successor)) if successor != process => {}
            Some((instance, _)) if self.reloads.current.is_some() => {
                self.reload_failed(&format!("the new instance {how}"), now);
                self.restart_now(instance, now);
            }
            Some((instance, _)) => {
                self.start_without_handover(instance, &format!("the new instance {how}"), now);
            }
            None => {}
        }
    }

    /// Whether the balancer instance has ended because a new one takes over, which is then waited
    /// for.
    pub(in crate::supervisor) fn is_succeeded(&mut self, id: ChildId, now: Instant) -> bool {
        match (self.reloads.successor(), id) {
            (Some((instance, _)), ChildId::Balancer(ended)) if instance == ended => {
                self.children.await_successor(instance, now);
                true
            }
            _ => false,
        }
    }

    /// The new instance has failed: if the old one has ended because of it, the old one is started
    /// again.
    pub(in crate::supervisor) fn restart_now(&mut self, instance: usize, now: Instant) {
        self.children.end_wait(instance, now);
    }

    // Private

    /// The entries of nodes that the old instance, with these server `states`, does not know, and that
    /// do not serve yet.
    fn entries_of_new_nodes(&self, spec: &Spec, states: &str) -> String {
        let server = |line: &str| line.split(' ').nth(3).map(str::to_owned);
        let known: BTreeSet<String> = states.lines().filter_map(server).collect();
        let away = self.away_in(spec).down;
        let new = away.difference(&known).cloned().collect();
        server_entries(&spec.cluster, &BTreeSet::new(), &new)
    }

    fn successor_of(
        &self,
        (former, spec): (&Spec, &Spec),
        instance: usize,
        old: Identity,
        states: &str,
    ) -> io::Result<Running> {
        // The server states contain more than the orders: they also show which nodes are up.
        let file = spec.run_dir.haproxy_state(spec.plan.balancer.instance(instance));
        let states = format!(
            "{}{}",
            states_for_successor(states, &former.cluster, &spec.cluster),
            self.entries_of_new_nodes(spec, states)
        );
        atomic_file::replace(&file, states.as_bytes(), atomic_file::PRIVATE)?;
        let program = spec.balancer.serve(spec.deployment(), instance, Some(old.pid));
        let program = self.marked(program, ChildId::Balancer(instance));
        self.processes.spawn(&program, &spec.balancer_log())
    }

    /// Spawns the first new instance.
    fn begin_first(&mut self, instance: usize, states: &str, now: Instant) -> Result<(), String> {
        let Some(mut reload) = self.reloads.current.take() else {
            return Ok(());
        };
        let away = self.away_in(&reload.prepared.spec);
        self.children
            .set_log_start(ChildId::Balancer(instance), log_end(&self.spec));
        let former = self.spec.clone();
        let begun = self
            .listeners
            .add(&reload.prepared.spec)
            .and_then(|()| write_all(&reload.prepared, &away))
            .map_err(|error| format!("the new instance cannot be started: {error}"))
            .and_then(|()| self.spawn_successor((&former, &reload.prepared.spec), instance, states));
        if let Ok(process) = begun {
            reload.phase = Phase::starting(process, now);
        }
        self.reloads.current = Some(reload);
        // Written at once: if this supervisor dies now, the next one must know the instance.
        self.record();
        begun.map(drop)
    }
}
