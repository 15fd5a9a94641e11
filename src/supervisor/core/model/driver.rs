//! A core in its world: carries out steps, and plays the tasks of the core.

use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use super::super::Core;
use super::cluster::{directory, spec};
use super::oracle::Oracle;
use super::step::Step;
use super::world::{Fake, World};
use crate::balancer::ConfigFile;
use crate::platform::{Identity, RunDir};
use crate::profile::BalancerKind;
use crate::supervisor::event::{self, CoreEvent};
use crate::supervisor::listeners::Listeners;
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Record;

/// Longer than any wait of a supervisor in whose world everything works.
const UNTIL_ALL_IS_WELL: u32 = 50;

/// What failed, as a sentence.
pub(super) type Judged = Result<(), String>;

/// A core, the processes of its host, and what is known of both.
pub(super) struct Driver {
    pub(super) world: World,
    /// `None` once everything was stopped, until the next step starts it again.
    pub(super) core: Option<Core>,
    pub(super) now: Instant,
    pub(super) spec: Arc<Spec>,
    pub(super) files: Vec<ConfigFile>,
    pub(super) oracle: Oracle,
    /// The core would end if nothing could be sent to it.
    pub(super) receiver: Option<mpsc::Receiver<CoreEvent>>,
    /// Processes that have ended, and whose descendants have not.
    pub(super) ended: Vec<Identity>,
    pub(super) answered_probes: Option<Instant>,
    pub(super) is_deaf: bool,
    pub(super) reloads: u32,
    _dir: tempfile::TempDir,
}

/// Calls `test` where tasks can be spawned, and none is run.
pub(super) fn without_tasks(test: impl FnOnce() -> Judged) -> Judged {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let judged = {
        let _entered = runtime.enter();
        // Occupies the only thread of tasks that block.
        let (end, ended) = std_mpsc::channel::<()>();
        runtime.spawn_blocking(move || ended.recv());
        let judged = test();
        (judged, end)
    };
    runtime.shutdown_background();
    judged.0
}

impl Driver {
    /// A cluster that starts now.
    pub(super) fn new(kind: BalancerKind) -> Driver {
        let dir = directory();
        let run_dir = RunDir::at(dir.path());
        std::fs::create_dir_all(run_dir.logs()).unwrap();
        let spec = Arc::new(spec(kind, run_dir));
        let files = spec.files().unwrap();
        Driver {
            world: World::default(),
            core: None,
            now: Instant::now(),
            oracle: Oracle::new(spec.cluster.restart),
            spec,
            files,
            receiver: None,
            ended: Vec::new(),
            answered_probes: None,
            is_deaf: false,
            reloads: 0,
            _dir: dir,
        }
    }

    /// Carries out the step, and judges what has come of it.
    pub(super) fn carry_out(&mut self, step: &Step) -> Judged {
        if self.core.is_none() {
            self.begin()?;
        }
        match *step {
            Step::Die(which) => self.pick(which, |_| true, Driver::die),
            Step::Answer(which) => self.pick(which, Fake::may_answer, Driver::answer),
            Step::AnsweredByAnother(which) => self.pick(
                which,
                |fake| !fake.answered,
                |driver, process| {
                    let fake = driver.world.lock().living.get(&process).cloned();
                    if let Some(fake) = fake {
                        driver.oracle.answered_by_another(&fake.child);
                    }
                    let why = "another".to_owned();
                    driver.send(CoreEvent::AnsweredByAnother { process, why })
                },
            ),
            Step::Hang(which, hangs) => self.pick(
                which,
                |_| true,
                |driver, process| {
                    let now = driver.now;
                    if let Some(fake) = driver.world.lock().living.get_mut(&process) {
                        fake.hung_since = hangs.then(|| fake.hung_since.unwrap_or(now));
                    }
                    Ok(())
                },
            ),
            Step::DescendantsEnd => self.descendants_end(),
            Step::Elapse(ms) => self.elapse(Duration::from_millis(ms.into())),
            Step::Stall(ms) => {
                self.now += Duration::from_millis(ms.into());
                self.oracle.disturbed(self.now);
                self.turn()
            }
            Step::Calm(seconds) => self.calm(seconds.into()),
            Step::FailSpawns(count) => {
                self.world.lock().failing = count.into();
                Ok(())
            }
            Step::TakePorts(taken) => {
                self.world.lock().ports_taken = taken;
                Ok(())
            }
            Step::PortsChecked(free) => self.ports_checked(free),
            Step::Deaf(deaf) => {
                self.is_deaf = deaf;
                Ok(())
            }
            Step::Inspected => self.inspected(),
            Step::Reloading(works) => self.reload_step(works),
            Step::Counted(node, count) => self.counted(|index| {
                let count = if index == usize::from(node) { count } else { 1 };
                count.into()
            }),
            Step::Drain {
                node,
                stop,
                close,
                force,
            } => self.drain(node, stop, close, force),
            Step::Ready(node) => self.ready(node),
            Step::Restart(node) => self.restart(node),
            Step::Start => self.start(),
            Step::Stop => self.stop(),
            Step::Reload(changed) => self.reload(changed),
            Step::Resize(count) => self.resize(count),
            Step::SupervisorDies => self.supervisor_dies(),
        }
    }

    /// Everything works from now on: what is wanted serves, every order is answered, and a stop
    /// leaves nothing.
    pub(super) fn end(&mut self) -> Judged {
        if self.core.is_none() {
            self.begin()?;
        }
        self.calm(UNTIL_ALL_IS_WELL)?;
        if self.core.is_none() {
            // The start had failed.
            self.begin()?;
            self.calm(UNTIL_ALL_IS_WELL)?;
        }
        let Some(core) = &self.core else {
            return Err("a start fails although everything works".to_owned());
        };
        self.oracle.judge_calm(core, &self.world)?;
        self.stop()?;
        self.calm(UNTIL_ALL_IS_WELL)?;
        self.oracle.judge_answers(None)?;
        match self.core {
            Some(_) => Err("the supervisor does not end".to_owned()),
            None => Ok(()),
        }
    }

    // Private

    fn begin(&mut self) -> Judged {
        let record = Record::read(&self.spec.run_dir).map_err(|error| error.to_string())?;
        let (events, receiver) = event::channel();
        self.receiver = Some(receiver);
        self.answered_probes = None;
        self.ended.clear();
        self.oracle.begun(record.is_some(), self.now);
        let core = Core::new(
            Arc::new(ArcSwap::new(self.spec.clone())),
            self.files.clone(),
            record.as_ref(),
            Listeners::unreal(),
            Box::new(self.world.clone()),
            events,
            self.now,
        );
        if record.is_some() {
            self.oracle.judge_adoption(&core, &self.world)?;
        }
        self.core = Some(core);
        self.turn()
    }

    fn supervisor_dies(&mut self) -> Judged {
        if let Some(core) = self.core.take() {
            self.spec = core.spec.clone();
            self.files.clone_from(&core.files);
        }
        self.world.lock().supervisor_died();
        self.begin()
    }

    /// The core takes its turn, and ends if everything was stopped.
    pub(super) fn turn(&mut self) -> Judged {
        let Some(core) = &mut self.core else { return Ok(()) };
        core.take_turn(self.now);
        if !Arc::ptr_eq(&self.spec, &core.spec) {
            self.spec = core.spec.clone();
            self.files.clone_from(&core.files);
            self.oracle.keep_only_nodes_of(&self.spec);
        }
        self.oracle.judge(core, &self.world, self.now)?;
        if core.shutdown.as_ref().is_some_and(|it| it.is_over(self.now)) {
            self.core = None;
            self.oracle.judge_end(&self.world)?;
            self.spec.run_dir.clean().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    pub(super) fn send(&mut self, event: CoreEvent) -> Judged {
        if let Some(core) = &mut self.core {
            core.handle(event, self.now);
        }
        self.turn()
    }

    /// Does `what` with one of the living processes that are `meant`.
    fn pick(
        &mut self,
        which: u8,
        meant: impl Fn(&Fake) -> bool,
        what: impl FnOnce(&mut Driver, Identity) -> Judged,
    ) -> Judged {
        let processes = self.processes(meant);
        if processes.is_empty() {
            return Ok(());
        }
        what(self, processes[usize::from(which) % processes.len()])
    }

    pub(super) fn processes(&self, meant: impl Fn(&Fake) -> bool) -> Vec<Identity> {
        let world = self.world.lock();
        let meant = world.living.iter().filter(|(_, fake)| meant(fake));
        meant.map(|(process, _)| *process).collect()
    }

    pub(super) fn die(&mut self, process: Identity) -> Judged {
        let Some(fake) = self.world.lock().living.remove(&process) else {
            return Ok(());
        };
        self.oracle.died(&fake.child, fake.signals.is_empty(), self.now);
        if !fake.answered && !fake.signals.is_empty() {
            self.oracle.stopped_before_an_answer(&fake.child);
        }
        self.ended.push(process);
        let how = "ended".to_owned();
        self.send(CoreEvent::Ended { process, how })
    }

    pub(super) fn answer(&mut self, process: Identity) -> Judged {
        if let Some(fake) = self.world.lock().living.get_mut(&process) {
            fake.answered = true;
            self.oracle.answered(&fake.child, self.now);
        }
        self.send(CoreEvent::Answered {
            process,
            http_check: None,
            note: None,
        })
    }
}
