//! Writes the state file whenever something in it changes.

use std::collections::BTreeSet;

use super::core::Core;
use super::rollout::ChildId;
use super::state_file::{ChildRecord, Launch, Record};

/// The state file as it was last written.
#[derive(Default)]
pub(super) struct Recorder {
    last: Option<Record>,
}

impl Core {
    /// Writes the state file when something in it has changed.
    pub(super) fn record(&mut self) {
        let children = self.children.iter().filter_map(|(id, child)| {
            let process = child.process()?;
            let name = self.spec.name(id).to_owned();
            Some(ChildRecord {
                name,
                instance: instance(id),
                retired: matches!(id, ChildId::Retired(_)),
                successor: false,
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
            outdated: false,
            process,
            restarts: 0,
        });
        let children: Vec<ChildRecord> = children.chain(successor).collect();
        let only = self.running_half();
        let down = self.away().down;
        let filling = self.health.settlings().unsettled();
        let filling = filling
            .iter()
            .map(|index| self.spec.cluster.nodes[*index].name.clone());
        let filling: BTreeSet<String> = filling.collect();
        let places = self.shards.places();
        let overrides = self.overrides.to_save();
        let is_known = self.recorder.last.as_ref().is_some_and(|recorded| {
            let launch = &recorded.launch;
            (&recorded.children, &recorded.drains, launch.only) == (&children, self.drains.to_save(), only)
                && launch.source == self.spec.launch.source
                && launch.http_check == self.spec.launch.http_check
                && (&recorded.down, &recorded.filling, &recorded.places) == (&down, &filling, &places)
                && recorded.overrides == overrides
                && recorded.control_groups == *self.groups.directories()
        });
        if is_known {
            return;
        }
        let launch = Launch {
            only,
            ..self.spec.launch.clone()
        };
        let mut record = Record::new(
            launch,
            children,
            self.drains.to_save().clone(),
            down,
            filling,
            places,
        );
        record.overrides = overrides;
        record.control_groups.clone_from(self.groups.directories());
        match record.write(&self.spec.run_dir) {
            Ok(()) => self.recorder.last = Some(record),
            Err(error) => tracing::error!("cannot write the state file: {error}"),
        }
    }
}

// Private

/// The index of a balancer instance that takes clients.
fn instance(id: ChildId) -> usize {
    match id {
        ChildId::Balancer(index) => index,
        ChildId::Node(_) | ChildId::Retired(_) => 0,
    }
}
