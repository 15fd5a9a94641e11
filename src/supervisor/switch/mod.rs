//! `switch`: another balancer takes over the sockets of the running one. In the same way a new
//! version of builtin takes over from an older one, and processes with settings that no running
//! process can change from those without.

pub(super) mod state;

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::state::{Purpose, SavedSwitch, Switch};
use super::balancer_link::config_files::write_all;
use super::core::Core;
use super::logs::tail::tail;
use super::prepare::Prepared;
use super::process::watcher::Ready;
use super::reload::state::Reloaded;
use super::reload::{LOG_LINES, log_end};
use super::spec::Spec;
use super::waves::ChildId;
use crate::api::{Refusal, Switched};
use crate::balancer::ConfigFile;
use crate::platform::program_file::ProgramFile;
use crate::platform::{Identity, Program};
use crate::profile::BalancerKind;

/// The time that connections get which processes have accepted that do not take over.
const UNDONE_GRACE: Duration = Duration::from_secs(30);

impl Core {
    /// Starts the balancer of `prepared` beside the running one. The purpose's reply is sent when it
    /// has taken over, or has failed.
    pub(in crate::supervisor) fn begin_switch(&mut self, prepared: Prepared, purpose: Purpose, now: Instant) {
        // A switch in progress goes on.
        if let Err(refusal) = self.refuse_switch(&purpose) {
            return purpose.refuse(refusal);
        }
        let next = self.spec.launch.generation.wrapping_add(1);
        if matches!(purpose, Purpose::Order { .. }) && prepared.spec.launch.generation != next {
            return purpose.refuse(self.taken_over_meanwhile());
        }
        if !matches!(purpose, Purpose::Reload(_)) {
            self.rollouts.give_up_drain_for_dns();
        }
        // Written before anything is started: if this supervisor dies now, the next one must know of
        // the new processes.
        self.switches.set_taking_over(Some(SavedSwitch {
            from: self.spec.balancer.kind(),
            to: prepared.spec.balancer.kind(),
            has_taken_over: false,
        }));
        self.record();
        let failed = purpose.failed(prepared.spec.balancer.kind());
        let begun = self.start_beside(&prepared, now).map_err(|why| Refusal {
            error: format!("{failed}: {why}"),
            hint: Some(format!("{} serves as before", self.spec.balancer.kind())),
        });
        match begun {
            Ok((processes, log_start)) => {
                tracing::info!(from = %self.spec.balancer.kind(), to = %prepared.spec.balancer.kind(), "switch");
                self.switches.set_taking_over(None);
                self.switches
                    .begin(Switch::new(prepared, processes, log_start, purpose, now));
                self.record();
            }
            Err(refusal) => {
                self.switches.set_taking_over(None);
                self.listeners.keep_only(&self.spec);
                purpose.refuse(refusal);
            }
        }
    }

    /// Does what is due for the switch.
    pub(in crate::supervisor) fn advance_switch(&mut self, now: Instant) {
        self.begin_upgrade(now);
        let Some(switch) = self.switches.current() else {
            return;
        };
        if let Err(refusal) = self.refuse_while_ending() {
            self.abandon_switch(refusal, now);
        } else if switch.is_ready() {
            self.complete_switch(now);
        } else if now >= switch.wakes_at() {
            let why = switch.failure();
            self.fail_switch(&why, now);
        }
    }

    /// Refuses an order that would meet a switch.
    pub(in crate::supervisor) fn refuse_while_switching(&self) -> Result<(), Refusal> {
        match self.switches.current() {
            None => Ok(()),
            Some(switch) => Err(Refusal {
                error: format!("{} takes over from {}", switch.to(), self.spec.balancer.kind()),
                hint: Some("try again when that is done".to_owned()),
            }),
        }
    }

    /// The refusal of an order that was prepared for a balancer that has been replaced since.
    pub(in crate::supervisor) fn taken_over_meanwhile(&self) -> Refusal {
        Refusal {
            error: format!("{} has taken over meanwhile", self.spec.balancer.kind()),
            hint: Some("try again".to_owned()),
        }
    }

    /// The program with the listeners that the instance inherits.
    pub(in crate::supervisor) fn with_listeners(
        &self,
        spec: &Spec,
        instance: usize,
        program: Program,
    ) -> Program {
        if !spec.balancer.inherits() {
            return program;
        }
        let listeners = self.listeners.of_instance(spec, instance);
        spec.balancer.inherit(program, listeners.len()).inherit(listeners)
    }

    /// The adopted balancer was started with these files. If this version makes others, or is the
    /// balancer itself and has another program, the balancer is renewed.
    pub(in crate::supervisor) fn renew_balancer(&mut self, on_disk: Vec<ConfigFile>) {
        if on_disk != self.files {
            let files = std::mem::replace(&mut self.files, on_disk);
            self.switches.set_renewed_files(files);
        }
        if self.spec.balancer.kind() == BalancerKind::Builtin {
            let mut processes = self.children.balancers().filter_map(|(_, child)| child.process());
            let is_outdated = processes.any(|process| !is_own_program(process));
            self.switches.set_outdated(is_outdated);
        }
    }

    // Private

    fn refuse_switch(&self, purpose: &Purpose) -> Result<(), Refusal> {
        match purpose {
            // A rollout may need new processes itself.
            Purpose::Reload(_) => {
                self.refuse_while_ending()?;
                self.refuse_while_switching()?;
                self.refuse_while_starting()?;
            }
            Purpose::Order { .. } | Purpose::Upgrade => self.refuse_while_busy()?,
        }
        self.refuse_while_reloading()?;
        if !self.balanced {
            return Err(Refusal {
                error: "no balancer runs that another one could take over from".to_owned(),
                hint: Some("`clusterctl start BALANCER` starts one".to_owned()),
            });
        }
        let lives = self
            .children
            .balancers()
            .any(|(_, child)| child.process().is_some());
        if lives && !self.listeners.covers(&self.spec) {
            let kind = self.spec.balancer.kind();
            return Err(Refusal {
                error: format!(
                    "the listeners of the running {kind} are only its own: an earlier version started it, or \
                     the kernel does not let this supervisor copy them"
                ),
                hint: Some(
                    "`clusterctl restart` starts everything again, which disconnects clients".to_owned(),
                ),
            });
        }
        Ok(())
    }

    /// Starts the processes. If one cannot be started, none is left.
    fn start_beside(&mut self, prepared: &Prepared, now: Instant) -> Result<(Vec<Identity>, u64), String> {
        let spec = &prepared.spec;
        self.listeners.open(spec).map_err(|error| error.to_string())?;
        self.listeners.add(spec).map_err(|error| error.to_string())?;
        write_all(prepared, &self.away_in(&prepared.spec)).map_err(|error| error.to_string())?;
        let log_start = log_end(spec);
        let mut processes = Vec::new();
        for instance in 0..usize::from(spec.plan.balancer.instances) {
            let id = ChildId::Balancer(instance);
            let program = spec.balancer.serve(spec.deployment(), instance, None);
            let program = self.with_listeners(spec, instance, program);
            let program = self.marked_as(program, spec.name(id), Some(instance));
            match self.processes.spawn(&program, &spec.balancer_log()) {
                Ok(process) => {
                    processes.push(process.identity);
                    let ready = Ready::Balancer(spec.readiness(instance));
                    process.watch(ready, self.events.clone());
                }
                Err(error) => {
                    self.retire_incoming(spec.balancer.kind(), &processes, now);
                    return Err(format!("cannot run `{}`: {error}", program.path.display()));
                }
            }
        }
        Ok((processes, log_start))
    }

    /// The new processes get all new clients.
    fn complete_switch(&mut self, now: Instant) {
        let Some(switch) = self.switches.end() else {
            return;
        };
        let from = self.spec.balancer.kind();
        for id in self.children.balancer_ids() {
            self.link.forget(id);
            self.overrides.forget(id);
        }
        let processes = switch.processes();
        let former = self
            .children
            .replace_balancers(from, &processes, switch.purpose.deadline(), now);
        self.put_in_force(switch.prepared, now);
        self.listeners.keep_only(&self.spec);
        self.steer();
        let to = self.spec.balancer.kind();
        // Before the former ones are signalled: a supervisor that finds this does it again.
        self.switches.set_taking_over(Some(SavedSwitch {
            from,
            to,
            has_taken_over: true,
        }));
        self.record();
        for process in &former {
            if let Err(error) = self.processes.signal_group(*process, from.facts().drain_signal) {
                tracing::error!(
                    pid = process.pid,
                    "the former process keeps taking clients: {error}"
                );
            }
        }
        self.switches.set_taking_over(None);
        for id in self.children.balancer_ids() {
            self.children.set_log_start(id, switch.log_start);
            self.begin_sync(id, now);
        }
        let pids = |processes: &[Identity]| processes.iter().map(|process| process.pid).collect();
        tracing::info!(%from, %to, "switched");
        let switched = Switched {
            from,
            to,
            pids: pids(&processes),
            former: pids(&former),
            plan: Vec::new(),
        };
        self.answer_switch(switch.purpose, switched, now);
    }

    fn answer_switch(&mut self, purpose: Purpose, switched: Switched, now: Instant) {
        match purpose {
            Purpose::Order { plan, reply, .. } => {
                let _client_may_be_gone = reply.send(Ok(Switched { plan, ..switched }));
            }
            Purpose::Reload(reply) => {
                let reloaded = Reloaded {
                    pid: switched.pids.first().copied(),
                };
                self.answer_when_inspected(vec![reply], reloaded, now);
            }
            Purpose::Upgrade => {}
        }
    }

    /// The new processes are given up; the former ones have served all the time.
    pub(in crate::supervisor) fn fail_switch(&mut self, why: &str, now: Instant) {
        let Some(switch) = self.switches.current() else {
            return;
        };
        let (to, log) = (switch.to(), switch.prepared.spec.balancer_log());
        let lines = tail(&log, switch.log_start, LOG_LINES);
        let lines: String = lines.iter().flat_map(|line| ["\n    ", line]).collect();
        let failed = switch.purpose.failed(to);
        tracing::error!("{failed}: the new process {why}");
        let refusal = Refusal {
            error: format!("{failed}: the new process {why}{lines}"),
            hint: Some(format!("{} serves as before", self.spec.balancer.kind())),
        };
        self.abandon_switch(refusal, now);
    }

    fn abandon_switch(&mut self, refusal: Refusal, now: Instant) {
        let Some(switch) = self.switches.end() else {
            return;
        };
        self.retire_incoming(switch.to(), &switch.processes(), now);
        self.listeners.keep_only(&self.spec);
        // The new ones may have had the same files.
        self.write_configuration();
        switch.purpose.refuse(refusal);
    }

    /// The processes do not take over. They have accepted connections since they started, and get a
    /// while to end in order.
    fn retire_incoming(&mut self, kind: BalancerKind, processes: &[Identity], now: Instant) {
        for process in processes
            .iter()
            .filter(|process| self.processes.is_alive(**process))
        {
            self.children
                .insert_retired(kind, *process, Some(UNDONE_GRACE), now);
            if let Err(error) = self.processes.signal_group(*process, kind.facts().drain_signal) {
                tracing::error!(pid = process.pid, "the new process keeps taking clients: {error}");
            }
        }
    }

    /// Replaces or reloads an adopted balancer of another version, once everything is adopted.
    fn begin_upgrade(&mut self, now: Instant) {
        let waits =
            self.waves.outcome.is_none() || self.reloads.is_active() || self.switches.current().is_some();
        if !self.switches.needs_upgrade() || waits || self.shutdown.is_some() {
            return;
        }
        let files = self.switches.take_renewed_files();
        let renewed = Prepared::renewed(&self.spec, files.unwrap_or_else(|| self.files.clone()));
        if !self.switches.is_outdated() {
            let (reply, _unanswered) = oneshot::channel();
            return self.reload(renewed, reply, now);
        }
        self.switches.set_outdated(false);
        self.begin_switch(renewed, Purpose::Upgrade, now);
    }
}

impl Purpose {
    /// What has failed, as the beginning of a sentence.
    fn failed(&self, to: BalancerKind) -> String {
        match self {
            Purpose::Order { .. } => format!("not switched to {to}"),
            Purpose::Reload(_) => "not reloaded".to_owned(),
            Purpose::Upgrade => format!("{to} was not replaced"),
        }
    }

    fn refuse(self, refusal: Refusal) {
        match self {
            Purpose::Order { reply, .. } => {
                let _client_may_be_gone = reply.send(Err(refusal));
            }
            Purpose::Reload(reply) => {
                let _client_may_be_gone = reply.send(Err(refusal));
            }
            Purpose::Upgrade => tracing::error!("the balancer keeps its version: {}", refusal.error),
        }
    }
}

/// Whether the process runs the same program as this one.
fn is_own_program(process: Identity) -> bool {
    let is_own = || ProgramFile::of(process.pid)?.has_same_content_as(&ProgramFile::own()?);
    is_own().unwrap_or(true)
}
