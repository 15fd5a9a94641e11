//! What has to be true of a supervisor, whatever happened: the sentences of `docs/operations.md`,
//! judged by what the world shows. Nothing is derived from the core's own rules.
//!
//! | sentence | judged by |
//! | --- | --- |
//! | an order once accepted holds until it is undone, over every death | `drains_hold` |
//! | a node that does not serve gets no clients | `only_serving_nodes_get_clients` |
//! | every process is known, is in the state file, and is the only one of its child | `every_process_is_known` |
//! | a dead node is started again after its back-off, and not after giving up | `attempts_are_due` |
//! | nothing is started after a stop or a failed start | `attempts_are_due` |
//! | every order is answered once, an order about a node within some seconds | `judge_answers` |
//! | a node that is added serves; the process of one that is removed is known until it has ended | `judge_calm`, `every_process_is_known` |
//! | the next supervisor adopts what runs | `judge_adoption` |
//! | once everything works, everything that is wanted serves | `judge_calm` |
//! | a stop and a failed start leave nothing | `judge_end` |

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use super::super::Core;
use super::driver::Judged;
use super::oracle::Oracle;
use super::world::World;
use crate::platform::Identity;
use crate::supervisor::balancer_link::runtime_sync::NodeHealth;
use crate::supervisor::process::child::State;
use crate::supervisor::state_file::Record;
use crate::supervisor::waves::{ChildId, Verb};

/// By then, the balancer knows that a node answers nothing any more.
const MAX_SILENCE: Duration = Duration::from_secs(6);

impl Oracle {
    /// After every turn.
    pub(super) fn judge(&mut self, core: &Core, world: &World, now: Instant) -> Judged {
        let waves = (core.waves.verb, &core.waves.outcome);
        self.has_failed_to_join |= matches!(waves, (Verb::Join, Some(Err(_))));
        self.attempts_are_due(core, world, now)?;
        self.every_process_is_known(core, world)?;
        self.drains_hold(core)?;
        self.only_serving_nodes_get_clients(core, world, now)?;
        self.judge_answers(Some(now))
    }

    /// Orders are answered in time; all of them are when no time is given.
    pub(super) fn judge_answers(&mut self, now: Option<Instant>) -> Judged {
        let mut waiting = Vec::new();
        for mut order in std::mem::take(&mut self.waiting) {
            match (order.is_answered)() {
                Ok(true) => {}
                Err(()) => return Err(format!("the order {} gets no answer", order.what)),
                Ok(false) => match now {
                    Some(now) if order.until.is_none_or(|until| now < until) => waiting.push(order),
                    _ => return Err(format!("the order {} was not answered in time", order.what)),
                },
            }
        }
        self.waiting = waiting;
        Ok(())
    }

    /// A new supervisor has every process that lives as a child.
    pub(super) fn judge_adoption(&self, core: &Core, world: &World) -> Judged {
        let living = world.lock().living.clone();
        let stranger = living
            .iter()
            .find(|(process, fake)| fake.signals.is_empty() && core.children.child_of(**process).is_none());
        match stranger {
            Some((process, fake)) => Err(format!("{} was not adopted: {fake:?}", process.pid)),
            None => self.drains_hold(core),
        }
    }

    /// Everything has worked for a while.
    pub(super) fn judge_calm(&mut self, core: &Core, world: &World) -> Judged {
        self.judge_answers(None)?;
        if core.waves.outcome.is_none() {
            return Err("a start or restart does not end".to_owned());
        }
        let desired = core.link.subscribe().borrow().clone();
        for (id, child) in core.children.iter() {
            let name = core.spec.name(id).to_owned();
            let is_drained = self.drained.contains_key(&name);
            let may_rest = self.drained.get(&name) == Some(&true) || self.has_failed_to_join;
            let given_up = self
                .deaths
                .get(&name)
                .is_none_or(|it| it.in_a_row > self.policy.give_up_after);
            match child.state {
                State::Up { .. } => {}
                State::Stopped if may_rest => continue,
                State::Failed if given_up || self.undercounted.contains(&name) => continue,
                _ => return Err(format!("{name} does not serve: {:?}", child.state)),
            }
            if self.stopped_by_drain.contains(&name) {
                return Err(format!("{name} runs, although a drain has stopped it"));
            }
            let gets_clients = desired.get(&name).is_none_or(|it| it.health == NodeHealth::Up);
            if !gets_clients && !is_drained {
                return Err(format!(
                    "{name} serves, and gets no clients: {:?}",
                    desired.get(&name)
                ));
            }
        }
        let living = world.lock().living.len();
        let known = core.children.running().count();
        if living == known {
            Ok(())
        } else {
            Err(format!("{living} processes live, and {known} are known"))
        }
    }

    /// The supervisor has ended.
    pub(super) fn judge_end(&mut self, world: &World) -> Judged {
        self.judge_answers(None)?;
        let living = world.lock().living.clone();
        if living.is_empty() {
            Ok(())
        } else {
            Err(format!("the supervisor has ended, and left {living:?}"))
        }
    }

    // Private

    fn attempts_are_due(&mut self, core: &Core, world: &World, now: Instant) -> Judged {
        let attempts = std::mem::take(&mut world.lock().attempts);
        // An order, or a start, that reaches a node after the others lets its deaths not count.
        if self.is_rolling {
            let died = self.deaths.iter().filter(|(_, deaths)| deaths.in_a_row > 0);
            self.undercounted.extend(died.map(|(name, _)| name.clone()));
            self.forgive();
        }
        self.is_rolling = core.waves.outcome.is_none();
        let was_stopping = self.is_stopping;
        self.is_stopping |= core.shutdown.is_some();
        for (child, started) in attempts {
            if was_stopping {
                return Err(format!("{child} was started after a stop"));
            }
            if self.stopped_by_drain.contains(&child) {
                return Err(format!("{child} was started, although a drain has stopped it"));
            }
            let is_node = core.spec.cluster.node(&child).is_some();
            let deaths = self.deaths.entry(child.clone()).or_default();
            if is_node && deaths.not_before.is_some_and(|at| now < at) {
                return Err(format!("{child} was started before its back-off was over"));
            }
            if is_node && deaths.in_a_row > self.policy.give_up_after {
                return Err(format!(
                    "{child} was started after {} deaths in a row",
                    deaths.in_a_row
                ));
            }
            if !started {
                self.died(&child, true, now);
            }
        }
        Ok(())
    }

    /// The processes in the state file. Each write makes another file, and only that is read.
    fn recorded(&mut self, core: &Core) -> Result<BTreeSet<Identity>, String> {
        let run_dir = &core.spec.run_dir;
        let file = std::fs::metadata(run_dir.state_file()).map_err(|error| error.to_string())?;
        let which = (file.ino(), file.mtime(), file.mtime_nsec());
        if self.read != Some(which) {
            let record = Record::read(run_dir).map_err(|error| error.to_string())?;
            let children = record.into_iter().flat_map(|record| record.children);
            self.recorded = children.map(|child| child.process).collect();
            self.read = Some(which);
        }
        Ok(self.recorded.clone())
    }

    fn every_process_is_known(&mut self, core: &Core, world: &World) -> Judged {
        let living = world.lock().living.clone();
        let recorded = self.recorded(core)?;
        let successor = core.reloads.successor().map(|(_, process)| process);
        let mut children = BTreeSet::new();
        for (process, fake) in living.iter().filter(|(_, fake)| !fake.is_killed()) {
            let pid = process.pid;
            if !recorded.contains(process) {
                return Err(format!("{pid} is not in the state file: {fake:?}"));
            }
            match core.children.child_of(*process) {
                Some(ChildId::Retired(..)) => {}
                Some(_) if !children.insert(fake.child.clone()) => {
                    return Err(format!("{} has two processes", fake.child));
                }
                Some(_) => {}
                None if Some(*process) == successor => {}
                None => return Err(format!("{pid} is no child's process: {fake:?}")),
            }
        }
        Ok(())
    }

    fn drains_hold(&self, core: &Core) -> Judged {
        for node in &core.spec.cluster.nodes {
            let is_drained = self.drained.contains_key(&node.name);
            if core.drains.has(&node.name) != is_drained {
                return Err(format!("{} is drained: {}", node.name, !is_drained));
            }
            let desired = core.link.subscribe().borrow().get(&node.name).copied();
            // Nothing is published before the first turn.
            if desired.is_some_and(|desired| desired.drained != is_drained) {
                return Err(format!("the balancer's order for {} is {desired:?}", node.name));
            }
        }
        Ok(())
    }

    fn only_serving_nodes_get_clients(&self, core: &Core, world: &World, now: Instant) -> Judged {
        let desired = core.link.subscribe().borrow().clone();
        let world = world.lock();
        for node in &core.spec.cluster.nodes {
            let name = &node.name;
            let gets_clients = desired
                .get(name)
                .is_some_and(|it| it.health == NodeHealth::Up && !it.drained);
            if !gets_clients {
                continue;
            }
            let process = core.children.process(ChildId::Node(node.id));
            let Some(fake) = process.and_then(|process| world.living.get(&process)) else {
                return Err(format!("{name} gets clients, and does not run"));
            };
            if !fake.answered || !fake.signals.is_empty() {
                return Err(format!("{name} gets clients, and does not serve: {fake:?}"));
            }
            let undisturbed = fake.hung_since.map(|since| since.max(self.disturbed));
            if undisturbed.is_some_and(|since| now > since + MAX_SILENCE) {
                return Err(format!("{name} gets clients, and answers nothing"));
            }
        }
        Ok(())
    }
}
