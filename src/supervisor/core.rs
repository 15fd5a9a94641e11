//! The one owner of every child: hears what happens, decides, acts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::child::{Action, Child, Event, State};
use super::ending::Ending;
use super::look::{ChildLook, Look, NodeLook, node_state};
use super::meter::Meter;
use super::news::News;
use super::pulse::{INTERVAL, LATE};
use super::record::{ChildRecord, Launch, Record};
use super::rollout::{Rollout, Verb, Who};
use super::setting::Setting;
use super::vitals::Vitals;
use super::voice::{self, Opinion};
use super::{rotation, watching};
use crate::api::{NodeState, Only};
use crate::platform::usage::{age, usage};
use crate::platform::{Identity, Process};

/// The supervisor's state. It is changed by news and by time, nowhere else.
pub(super) struct Core {
    pub(super) setting: Arc<Setting>,
    pub(super) children: BTreeMap<Who, Child>,
    pub(super) adopted: Vec<Who>,
    pub(super) rollout: Rollout,
    pub(super) ending: Option<Ending>,
    /// Whether a balancer is wanted.
    pub(super) balanced: bool,
    /// What each child that does not answer yet was last found to lack.
    pub(super) doubts: BTreeMap<Who, String>,
    /// Where in its log each child's last start begins.
    pub(super) log_starts: BTreeMap<Who, u64>,
    vitals: Vec<Vitals>,
    meters: BTreeMap<Who, Meter>,
    opinion: watch::Sender<Opinion>,
    voices: BTreeMap<Who, AbortHandle>,
    next_probe: Instant,
    next_rotation: Instant,
    recorded: Option<Record>,
    news: mpsc::Sender<News>,
}

impl Core {
    /// A supervisor that begins with the children that `record` still finds alive, and starts the others.
    pub(super) fn new(setting: Arc<Setting>, record: Option<&Record>, news: mpsc::Sender<News>) -> Core {
        let now = Instant::now();
        let mut core = Core {
            children: setting.children().map(|who| (who, Child::new())).collect(),
            adopted: Vec::new(),
            rollout: Rollout::new(Verb::Start, Vec::new(), now),
            ending: None,
            balanced: false,
            doubts: BTreeMap::new(),
            log_starts: BTreeMap::new(),
            vitals: setting
                .cluster
                .nodes
                .iter()
                .map(|node| Vitals::new(setting.probes(node), now))
                .collect(),
            meters: BTreeMap::new(),
            opinion: watch::Sender::new(Opinion::new()),
            voices: BTreeMap::new(),
            next_probe: now,
            next_rotation: now,
            recorded: None,
            news,
            setting,
        };
        if let Some(record) = record {
            core.adopt(record, now);
        }
        let verb = if core.adopted.is_empty() {
            Verb::Start
        } else {
            Verb::Resume
        };
        core.begin_start(verb, core.setting.launch.only, now);
        core
    }

    /// Runs until everything was stopped by an order, or could not be started.
    pub(super) async fn run(mut self, mut news: mpsc::Receiver<News>) -> Ending {
        loop {
            let now = Instant::now();
            self.go_on(now);
            if let Some(ending) = self.ending.take_if(|ending| ending.is_over(now)) {
                return ending;
            }
            let wakes_at = self.wakes_at(now);
            tokio::select! {
                Some(news) = news.recv() => self.hear(news, Instant::now()),
                () = tokio::time::sleep_until(wakes_at.into()) => {}
            }
        }
    }

    /// Starts what is wanted and does not run yet.
    pub(super) fn begin_start(&mut self, verb: Verb, only: Option<Only>, now: Instant) {
        let (nodes, balancers): (Vec<Who>, Vec<Who>) =
            self.children.keys().partition(|who| matches!(who, Who::Node(_)));
        let mut waves = Vec::new();
        if only != Some(Only::Balancer) {
            waves.push(nodes);
        }
        if only != Some(Only::Nodes) {
            self.balanced = true;
            waves.push(balancers);
        }
        self.rollout = Rollout::new(verb, waves, now + self.setting.launch.timeout.duration());
    }

    /// Lets `event` happen to the child, and does what follows from it.
    pub(super) fn apply(&mut self, who: Who, event: Event, now: Instant) {
        let policy = self.setting.cluster.restart;
        let Some(child) = self.children.get_mut(&who) else {
            return;
        };
        let was = child.state.clone();
        let action = child.after(event, now, &policy);
        if std::mem::discriminant(&was) != std::mem::discriminant(&child.state) {
            let (name, reason) = (self.setting.name(who), child.reason.as_deref().unwrap_or("-"));
            tracing::info!(child = name, state = child.state.name(), was = was.name(), reason);
        }
        match action {
            Some(Action::Spawn) => self.spawn(who, now),
            Some(Action::Signal(process, signal)) => {
                if let Err(error) = process.signal_group(signal) {
                    tracing::error!(child = self.setting.name(who), %signal, "not sent: {error}");
                }
            }
            None => {}
        }
    }

    /// How everything is.
    pub(super) fn look(&self) -> Look {
        let nodes = self.vitals.iter().enumerate().map(|(index, vitals)| NodeLook {
            state: self.node_state(index),
            child: self.child_look(Who::Node(index)),
            samples: vitals.samples.clone(),
        });
        let balancers = self.children.keys().filter(|who| matches!(who, Who::Balancer(_)));
        Look {
            nodes: nodes.collect(),
            balancers: balancers.map(|who| self.child_look(*who)).collect(),
            balanced: self.balanced,
        }
    }

    // Private

    fn hear(&mut self, news: News, now: Instant) {
        match news {
            News::Ended { who, process, how } if self.process(who) == Some(process) => {
                self.ended(who, process, how, now);
            }
            News::Doubted { who, process, why } if self.process(who) == Some(process) => {
                self.doubts.insert(who, why);
            }
            News::Answered { who, process } if self.process(who) == Some(process) => self.answered(who, now),
            // Late news of a process that is gone.
            News::Ended { .. } | News::Answered { .. } | News::Doubted { .. } => {}
            News::Probed { node, target, result } => self.vitals[node].probed(target, result, now),
            News::Request(request) => self.follow(request, now),
        }
    }

    fn ended(&mut self, who: Who, process: Identity, how: String, now: Instant) {
        if let Some(voice) = self.voices.remove(&who) {
            voice.abort();
        }
        // What a dead leader leaves in its group would hold its ports.
        if let Err(error) = process.signal_group(nix::sys::signal::Signal::SIGKILL) {
            tracing::warn!(
                child = self.setting.name(who),
                "its process group lives on: {error}"
            );
        }
        self.meters.remove(&who);
        self.doubts.remove(&who);
        self.apply(who, Event::Ended(how), now);
    }

    fn answered(&mut self, who: Who, now: Instant) {
        match who {
            Who::Node(index) => self.vitals[index].revive(now),
            Who::Balancer(instance) => self.give_voice(who, instance),
        }
        self.apply(who, Event::Answered, now);
    }

    /// Everything that is due: children's deadlines, probes, the rollout, the ending, what others must know.
    fn go_on(&mut self, now: Instant) {
        let due: Vec<Who> = self
            .children
            .iter()
            .filter(|(_, c)| c.wakes_at().is_some_and(|at| at <= now))
            .map(|(who, _)| *who)
            .collect();
        for who in due {
            self.apply(who, Event::Time, now);
        }
        if now >= self.next_probe {
            self.probe(now);
        }
        if now >= self.next_rotation {
            rotation::rotate(&self.setting.run_dir);
            self.next_rotation = now + rotation::INTERVAL;
        }
        self.go_on_with_rollout(now);
        self.go_on_with_ending(now);
        self.have_opinion();
        self.record();
    }

    fn wakes_at(&self, now: Instant) -> Instant {
        let children = self.children.values().filter_map(Child::wakes_at);
        let ending = self.ending.as_ref().and_then(Ending::wakes_at);
        children
            .chain(self.rollout.wakes_at())
            .chain(ending)
            .chain([self.next_probe, self.next_rotation])
            .min()
            .unwrap_or(now + INTERVAL)
    }

    fn process(&self, who: Who) -> Option<Identity> {
        self.children.get(&who).and_then(Child::process)
    }

    /// Watches the children of an earlier supervisor that still live.
    fn adopt(&mut self, record: &Record, now: Instant) {
        let known: Vec<(Who, String)> = self
            .children
            .keys()
            .map(|who| (*who, self.setting.name(*who).to_owned()))
            .collect();
        for living in record.living() {
            let Some((who, _)) = known.iter().find(|(_, name)| *name == living.name) else {
                continue;
            };
            match Process::adopt(living.process) {
                Ok(Some(process)) => {
                    tracing::info!(child = living.name, pid = living.process.pid, "adopted");
                    self.children
                        .insert(*who, Child::adopted(living.process, living.restarts, now));
                    self.adopted.push(*who);
                    self.watch(*who, process);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(child = living.name, "not adopted: {error}"),
            }
        }
    }

    fn spawn(&mut self, who: Who, now: Instant) {
        let program = self.setting.program(who);
        let log = self.setting.run_dir.log(self.setting.name(who));
        self.adopted.retain(|adopted| *adopted != who);
        self.log_starts
            .insert(who, std::fs::metadata(&log).map_or(0, |log| log.len()));
        match program.spawn(&log) {
            Ok(process) => {
                self.apply(who, Event::Spawned(process.identity()), now);
                self.watch(who, process);
            }
            Err(error) => {
                let reason = format!("cannot run `{}`: {error}", program.path.display());
                self.apply(who, Event::NotSpawned(reason), now);
            }
        }
        // Written at once: a supervisor that dies now must not leave a child that nobody knows.
        self.record();
    }

    /// Hears of the process's first answer and of its end.
    fn watch(&self, who: Who, process: Process) {
        let ready = match who {
            Who::Node(index) => watching::Ready::Node(self.vitals[index].probes()),
            Who::Balancer(instance) => {
                let sockets = self
                    .setting
                    .balancer
                    .sockets(&self.setting.plan, &self.setting.run_dir);
                watching::Ready::Balancer(sockets.get(instance).cloned())
            }
        };
        watching::watch(who, process, ready, self.news.clone());
    }

    fn probe(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.next_probe) > LATE;
        self.next_probe = now + INTERVAL;
        for index in 0..self.vitals.len() {
            let is_ours = self.owns_nodes();
            let runs = self
                .children
                .get(&Who::Node(index))
                .is_none_or(|child| !is_ours || child.is_up());
            if !runs {
                continue;
            }
            self.vitals[index].judge(now, late);
            self.vitals[index].ask(index, &self.news);
            if self.hung_for(index, now) >= self.setting.cluster.restart.hung_after.duration() {
                self.apply(Who::Node(index), Event::Hung, now);
            }
        }
        let running: Vec<(Who, Identity)> = self
            .children
            .iter()
            .filter_map(|(who, child)| Some((*who, child.process()?)))
            .collect();
        for (who, process) in running {
            self.meters.entry(who).or_default().read(process, now);
        }
    }

    fn hung_for(&self, index: usize, now: Instant) -> Duration {
        self.vitals[index]
            .silent_since()
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    fn node_state(&self, index: usize) -> NodeState {
        let child = self.children.get(&Who::Node(index)).filter(|_| self.owns_nodes());
        node_state(child, &self.vitals[index])
    }

    /// Which half of the cluster is run, if it is only one.
    fn half(&self) -> Option<Only> {
        match (self.owns_nodes(), self.balanced) {
            (true, true) => None,
            (true, false) => Some(Only::Nodes),
            (false, _) => Some(Only::Balancer),
        }
    }

    /// Whether the nodes are children of ours, or somebody else's.
    pub(super) fn owns_nodes(&self) -> bool {
        self.setting.launch.only != Some(Only::Balancer)
            || self
                .children
                .iter()
                .any(|(who, child)| matches!(who, Who::Node(_)) && child.state != State::Stopped)
    }

    fn child_look(&self, who: Who) -> ChildLook {
        let Some(child) = self.children.get(&who) else {
            return ChildLook::default();
        };
        let meter = self.meters.get(&who).cloned().unwrap_or_default();
        ChildLook {
            process: child.process(),
            up: child.is_up(),
            failed: child.state == State::Failed,
            restarts: child.restarts.total,
            reason: child.reason.clone(),
            memory_bytes: child
                .process()
                .and_then(|process| usage(process.pid))
                .map_or(0, |usage| usage.memory_bytes),
            cpu_percent: meter.cpu_percent,
            uptime_seconds: child.process().and_then(age).unwrap_or_default().as_secs(),
        }
    }

    /// What the balancer has to know of each node.
    fn have_opinion(&self) {
        let nodes = self.setting.cluster.nodes.iter().enumerate();
        let opinion: Opinion = nodes
            .filter(|(index, _)| self.knows(*index))
            .map(|(index, node)| (node.name.clone(), self.node_state(index) == NodeState::Up))
            .collect();
        self.opinion.send_if_modified(|told| {
            let changed = *told != opinion;
            *told = opinion;
            changed
        });
    }

    /// Whether we may judge the node: one that served before we came is well until we know better.
    fn knows(&self, index: usize) -> bool {
        let who = Who::Node(index);
        match self.children.get(&who).filter(|_| self.owns_nodes()) {
            Some(child) => !matches!(child.state, State::Starting { .. }) || !self.adopted.contains(&who),
            None => !self.vitals[index].is_unheard(),
        }
    }

    /// The balancer instance serves: from now on it hears our opinion.
    fn give_voice(&mut self, who: Who, instance: usize) {
        self.have_opinion();
        let sockets = self
            .setting
            .balancer
            .sockets(&self.setting.plan, &self.setting.run_dir);
        let Some(socket) = sockets.get(instance) else {
            return;
        };
        let servers = self.setting.cluster.nodes.iter();
        let servers = servers
            .map(|node| {
                (
                    node.name.clone(),
                    self.setting
                        .balancer
                        .health_targets(&self.setting.cluster, &node.name),
                )
            })
            .collect();
        let voice = tokio::spawn(voice::tell(socket.clone(), servers, self.opinion.subscribe()));
        if let Some(before) = self.voices.insert(who, voice.abort_handle()) {
            before.abort();
        }
    }

    /// Writes the state file when something in it has changed.
    fn record(&mut self) {
        let children = self.children.iter().filter_map(|(who, child)| {
            let name = self.setting.name(*who).to_owned();
            Some(ChildRecord {
                name,
                process: child.process()?,
                restarts: child.restarts.total,
            })
        });
        let launch = Launch {
            only: self.half(),
            ..self.setting.launch.clone()
        };
        let record = Record::new(launch, children.collect());
        if self.recorded.as_ref() == Some(&record) {
            return;
        }
        match record.write(&self.setting.run_dir) {
            Ok(()) => self.recorded = Some(record),
            Err(error) => tracing::error!("state file not written: {error}"),
        }
    }
}
