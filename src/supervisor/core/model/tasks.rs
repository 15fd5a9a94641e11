//! What the tasks of the core would report, and time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::driver::{Driver, Judged};
use crate::api::ConnectionsBy;
use crate::balancer::ReloadBy;
use crate::platform::Identity;
use crate::probe::Answer;
use crate::supervisor::connection_count::Connections;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::health::node_probes::NodeProbes;
use crate::supervisor::overrides::Observation;
use crate::supervisor::waves::ChildId;

/// More turns than this at one moment are a loop that burns a processor.
const MAX_TURNS: u32 = 200;

impl Driver {
    pub(super) fn descendants_end(&mut self) -> Judged {
        for process in std::mem::take(&mut self.ended) {
            self.send(CoreEvent::DescendantsEnded { process })?;
        }
        // It is reported when no process of the run lives, those that were killed included. Ignored
        // unless it is waited for.
        if self.world.lock().living.is_empty() {
            self.send(CoreEvent::AllDescendantsEnded)?;
        }
        Ok(())
    }

    pub(super) fn elapse(&mut self, time: Duration) -> Judged {
        let end = self.now + time;
        let mut turns = 0;
        loop {
            let Some(core) = &self.core else { return Ok(()) };
            let wakes_at = core.wakes_at(self.now).clamp(self.now, end);
            turns = if wakes_at == self.now { turns + 1 } else { 0 };
            if turns > MAX_TURNS {
                return Err("turns without an end".to_owned());
            }
            self.now = wakes_at;
            self.turn()?;
            self.answer_probes()?;
            if !self.is_deaf {
                self.accept()?;
            }
            if self.now >= end {
                return Ok(());
            }
        }
    }

    /// What runs answers the probes that were just sent.
    pub(super) fn answer_probes(&mut self) -> Judged {
        let Some(core) = &self.core else { return Ok(()) };
        let next = core.health.next_probe();
        if self.answered_probes.replace(next) == Some(next) {
            return Ok(());
        }
        let asked = self.now;
        let answers = |process: Identity| {
            let world = self.world.lock();
            let fake = world.living.get(&process);
            fake.is_some_and(|fake| fake.answered && fake.hung_since.is_none())
        };
        let mut events = Vec::new();
        for (id, child) in core.children.iter().filter(|(_, child)| child.is_up()) {
            let answered = child.process().is_some_and(answers);
            match id {
                ChildId::Node(node) if answered => {
                    let probes = core.health.probes(node).map(NodeProbes::probes);
                    events.extend(probes.into_iter().flatten().map(|probe| CoreEvent::Probed {
                        node,
                        target: probe.target,
                        asked,
                        result: Ok(Answer {
                            took: Duration::from_millis(1),
                            question: probe.question,
                            status: None,
                        }),
                    }));
                }
                ChildId::Balancer(_) => events.push(CoreEvent::Balancer { id, answered }),
                ChildId::Node(_) | ChildId::Retired(..) => {}
            }
        }
        for event in events {
            self.send(event)?;
        }
        if self.is_deaf { Ok(()) } else { self.inspected() }
    }

    /// Every connected balancer instance accepts what is desired.
    pub(super) fn accept(&mut self) -> Judged {
        let Some(core) = &self.core else { return Ok(()) };
        let desired = core.link.subscribe().borrow().clone();
        let mut events = Vec::new();
        for id in core.link.connected() {
            let accepted = core.link.accepted(id);
            let differs = |node: &String| accepted.and_then(|it| it.get(node)) != desired.get(node);
            for (node, state) in desired.iter().filter(|(node, _)| differs(node)) {
                events.push(CoreEvent::StateAccepted {
                    id,
                    node: node.clone(),
                    state: *state,
                    undone: Vec::new(),
                });
            }
        }
        events.into_iter().try_for_each(|event| self.send(event))
    }

    /// The inspection of every connected balancer instance finds nothing.
    pub(super) fn inspected(&mut self) -> Judged {
        let Some(core) = &self.core else { return Ok(()) };
        let instances: Vec<ChildId> = core.link.connected().collect();
        instances.into_iter().try_for_each(|id| {
            self.send(CoreEvent::Inspected {
                id,
                asked: self.now,
                observation: Observation::Files(BTreeSet::new()),
            })
        })
    }

    pub(super) fn ports_checked(&mut self, free: bool) -> Judged {
        let Some(core) = &self.core else { return Ok(()) };
        let ids = core.children.ids();
        let checked: Vec<ChildId> = ids.filter(|id| core.children.is_port_checked(*id)).collect();
        checked.into_iter().try_for_each(|id| {
            let taken = (!free).then(|| "its port is taken".to_owned());
            if !free {
                self.oracle.not_started(id, &self.spec, self.now);
            }
            self.send(CoreEvent::PortsChecked { id, taken })
        })
    }

    /// The running balancer does what a reload waits for.
    pub(super) fn reload_step(&mut self, works: bool) -> Judged {
        let Some(core) = &self.core else { return Ok(()) };
        if !core.reloads.takes_over() || core.reloads.successor().is_some() {
            return Ok(());
        }
        let failed = || "it does not work".to_owned();
        self.send(match self.spec.balancer.reload() {
            ReloadBy::Successor { .. } => CoreEvent::ServerStates {
                instance: 0,
                states: works.then(String::new).ok_or_else(failed),
            },
            ReloadBy::Itself | ReloadBy::Workers(_) => {
                CoreEvent::Reread(works.then_some(()).ok_or_else(failed))
            }
        })
    }

    pub(super) fn counted(&mut self, of: impl Fn(usize) -> u64) -> Judged {
        let mut counts = Connections::new();
        for (index, node) in self.spec.cluster.nodes.iter().enumerate() {
            let tcp = of(index);
            counts.insert(node.id, ConnectionsBy { tcp, http: 0 });
            if tcp == 0 {
                self.oracle.emptied(&node.name);
            }
        }
        self.send(CoreEvent::Counted {
            asked: self.now,
            connections: counts,
        })
    }

    /// Everything works, for so many seconds.
    pub(super) fn calm(&mut self, seconds: u32) -> Judged {
        self.is_deaf = false;
        for _ in 0..seconds * 2 {
            {
                let mut world = self.world.lock();
                (world.failing, world.ports_taken) = (0, false);
                for fake in world.living.values_mut() {
                    fake.hung_since = None;
                }
            }
            let retired: BTreeSet<Identity> = match &self.core {
                Some(core) => core
                    .children
                    .running()
                    .filter(|(id, _)| matches!(id, ChildId::Retired(..)))
                    .map(|(_, process)| process)
                    .collect(),
                None => return Ok(()),
            };
            for process in self.processes(|fake| fake.is_ending || !fake.signals.is_empty()) {
                self.die(process)?;
            }
            for process in retired {
                self.die(process)?;
            }
            for process in self.processes(|fake| !fake.answered) {
                self.answer(process)?;
            }
            self.descendants_end()?;
            self.ports_checked(true)?;
            self.reload_step(true)?;
            self.start_new_nodes()?;
            if self.core.as_ref().is_some_and(|core| core.drains.any_counts()) {
                self.counted(|_| 0)?;
            }
            self.elapse(Duration::from_millis(500))?;
        }
        Ok(())
    }
}
