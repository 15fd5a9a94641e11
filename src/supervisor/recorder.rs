//! Writes the state file whenever something in it changes, and when another process has changed it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::core::Core;
use super::state_file::{self, ChildRecord, Launch, Record};
use super::waves::ChildId;

/// Time between two checks whether another process has changed the file.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The state file as it was last written.
#[derive(Default)]
pub(super) struct Recorder {
    last: Option<Record>,
    content: Vec<u8>,
    next_check: Option<Instant>,
    /// Why the last attempt to write it failed.
    failure: Option<String>,
}

impl Core {
    /// That the state file lacks the last changes, and why.
    pub(super) fn unsaved(&self) -> Option<String> {
        let failure = self.recorder.failure.as_ref()?;
        let path = self.spec.run_dir.state_file();
        Some(format!(
            "the last orders and changes are not saved, and are lost if the supervisor is killed: cannot write `{}`: {failure}",
            path.display()
        ))
    }

    /// Writes the state file again if another process has changed or removed it.
    pub(super) fn check_record(&mut self, now: Instant) {
        if self.recorder.next_check.is_some_and(|at| now < at) {
            return;
        }
        self.recorder.next_check = Some(now + CHECK_INTERVAL);
        let path = self.spec.run_dir.state_file();
        let is_written = || state_file::content(&path).is_ok_and(|it| it == self.recorder.content);
        if self.recorder.last.is_some() && !is_written() {
            tracing::warn!(
                "`{}` was changed by another process; it is written again",
                path.display()
            );
            self.recorder.last = None;
            self.record();
        }
    }

    /// Writes the state file when something in it has changed.
    pub(super) fn record(&mut self) {
        let children = self.child_records();
        let only = self.running_half();
        let sockets = self.spec.plan.balancer.sockets;
        let down = self.away().down;
        let filling = self.health.settlings().unsettled();
        let filling = filling.into_iter().map(|id| self.spec.node_name(id).to_owned());
        let filling: BTreeSet<String> = filling.collect();
        let listeners = self.listeners.to_save();
        let switch = self.switches.to_save(self.spec.balancer.kind());
        let overrides = self.overrides.to_save();
        let rollout = self.saved_rollout();
        let is_known = self.recorder.last.as_ref().is_some_and(|recorded| {
            let launch = &recorded.launch;
            (&recorded.children, &recorded.drains, launch.only) == (&children, self.drains.to_save(), only)
                && (launch.balancer, launch.generation)
                    == (self.spec.launch.balancer, self.spec.launch.generation)
                && (launch.sockets, recorded.switch) == (sockets, switch)
                && launch.source == self.spec.launch.source
                && (&launch.previous, &launch.others)
                    == (&self.spec.launch.previous, &self.spec.launch.others)
                && recorded.rollout == rollout
                && launch.ids == self.spec.launch.ids
                && launch.resolved == self.spec.launch.resolved
                && launch.http_check == self.spec.launch.http_check
                && (&recorded.down, &recorded.filling, &recorded.listeners) == (&down, &filling, &listeners)
                && recorded.overrides == overrides
                && recorded.former == self.spec.former
                && recorded.control_groups == *self.groups.directories()
        });
        if is_known {
            return;
        }
        let launch = Launch {
            only,
            sockets,
            ..self.spec.launch.clone()
        };
        let mut record = Record::new(launch, children, self.drains.to_save().clone(), down, filling);
        record.listeners = listeners;
        record.switch = switch;
        record.overrides = overrides;
        record.rollout = rollout;
        record.former.clone_from(&self.spec.former);
        record.control_groups.clone_from(self.groups.directories());
        record.set_run_dir(&self.spec.run_dir);
        match record.write(&self.spec.run_dir) {
            Ok(content) => {
                self.recorder.last = Some(record);
                self.recorder.content = content;
                if self.recorder.failure.take().is_some() {
                    tracing::info!("the state file is written again");
                }
            }
            Err(error) => {
                let failure = Some(error.to_string());
                // Every turn tries again.
                if self.recorder.failure != failure {
                    tracing::error!("cannot write the state file: {error}");
                    self.recorder.failure = failure;
                }
            }
        }
    }

    // Private

    /// Everything that runs.
    fn child_records(&self) -> Vec<ChildRecord> {
        let children = self.children.iter().filter_map(|(id, child)| {
            let process = child.process()?;
            let name = self.spec.name(id).to_owned();
            Some(ChildRecord {
                name,
                instance: instance(id),
                retired: matches!(id, ChildId::Retired(..)),
                successor: false,
                incoming: false,
                ends_at: self.children.retired_until(id),
                outdated: self.reloads.is_outdated(process),
                process,
                restarts: child.restarts.total,
            })
        });
        let successor = self.reloads.successor().map(|(instance, process)| ChildRecord {
            name: self.spec.balancer.kind().name().to_owned(),
            instance,
            retired: false,
            successor: true,
            incoming: false,
            ends_at: None,
            outdated: false,
            process,
            restarts: 0,
        });
        let incoming = self.switches.current().into_iter().flat_map(|switch| {
            let processes = switch.processes().into_iter().enumerate();
            processes.map(|(instance, process)| ChildRecord {
                name: switch.to().name().to_owned(),
                instance,
                retired: false,
                successor: false,
                incoming: true,
                ends_at: None,
                outdated: false,
                process,
                restarts: 0,
            })
        });
        children.chain(successor).chain(incoming).collect()
    }
}

// Private

/// The index of a balancer instance that takes clients.
fn instance(id: ChildId) -> usize {
    match id {
        ChildId::Balancer(index) => index,
        ChildId::Node(_) | ChildId::Retired(..) => 0,
    }
}
