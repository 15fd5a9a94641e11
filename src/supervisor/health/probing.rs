//! The state of each node, by its probes, and where it goes: to the balancer and to the log.

use std::time::{Duration, Instant};

use super::liveness::{ANSWER_TIMEOUT, INTERVAL, Liveness, MAX_TICK_DELAY};
use crate::api::NodeState;
use crate::balancer::{Away, ReloadBy};
use crate::platform::Identity;
use crate::supervisor::balancer_link::config_sync;
use crate::supervisor::balancer_link::runtime_sync::{
    self, DesiredState, DesiredStates, Listener, NodeHealth,
};
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::process::child::{Child, Event, State};
use crate::supervisor::rollout::Who;
use crate::supervisor::snapshot::node_state;

impl Core {
    /// Probes every running node, and judges the results so far.
    pub(in crate::supervisor) fn probe(&mut self, now: Instant) {
        let late = now.saturating_duration_since(self.next_probe) > MAX_TICK_DELAY;
        self.next_probe = now + INTERVAL;
        for index in 0..self.vitals.len() {
            if !self.own_child(index).is_none_or(Child::is_up) {
                continue;
            }
            self.vitals[index].judge(now, late);
            self.vitals[index].ask(index, &self.news, now);
            if self.hung_for(index, now) >= self.setting.cluster.restart.hung_after.duration() {
                self.apply(Who::Node(index), Event::Hung, now);
            }
        }
        self.probe_balancers(now, late);
        let running: Vec<(Who, Identity)> = self
            .children
            .iter()
            .filter_map(|(who, child)| Some((*who, child.process()?)))
            .collect();
        for (who, process) in running {
            self.cpu_usages.entry(who).or_default().read(process, now);
        }
    }

    /// The state of the node with this index.
    pub(in crate::supervisor) fn node_state(&self, index: usize) -> NodeState {
        let child = self.own_child(index);
        let is_drained = self.drains.contains_key(&self.setting.cluster.nodes[index].name);
        node_state(child, &self.vitals[index], is_drained)
    }

    /// Logs what has changed, and sends the balancer the desired state of each node.
    pub(in crate::supervisor) fn update_desired_states(&mut self, now: Instant) {
        for index in 0..self.vitals.len() {
            self.notice(index, now);
        }
        self.let_come_back(now);
        let opinion = self.views();
        self.notice_settling(&opinion, now);
        self.opinion.send_if_modified(|told| {
            let changed = *told != opinion;
            *told = opinion;
            changed
        });
    }

    /// The balancer instance serves: from now on it receives desired states.
    pub(in crate::supervisor) fn begin_sync(&mut self, who: Who, now: Instant) {
        self.update_desired_states(now);
        self.silence(who);
        self.liveness.insert(who, Liveness::beating(now));
        let Who::Balancer(instance) = who else { return };
        let Some(process) = self.children.get(&who).and_then(Child::process) else {
            return;
        };
        let listener = Listener {
            who,
            setting: self.setting.clone(),
            opinion: self.opinion.subscribe(),
            news: self.news.clone(),
        };
        let voice = match (self.setting.socket(instance), self.setting.balancer.reload()) {
            (Some(socket), _) => tokio::spawn(runtime_sync::tell(socket, listener)),
            (None, ReloadBy::Workers(signal)) => tokio::spawn(config_sync::tell(process, signal, listener)),
            (None, _) => return,
        };
        self.sync_tasks.insert(who, voice.abort_handle());
    }

    /// Stops sending desired states to the balancer instance, and forgets what it has accepted.
    pub(in crate::supervisor) fn silence(&mut self, who: Who) {
        self.heard.remove(&who);
        if let Some(voice) = self.sync_tasks.remove(&who) {
            voice.abort();
        }
    }

    /// Whether every connected balancer instance has accepted a state of the node that `is_enough`.
    /// Of several instances, one that does not answer is skipped: it receives nothing, and gets no
    /// clients.
    pub(in crate::supervisor) fn all_follow(
        &self,
        node: &str,
        is_enough: impl Fn(&DesiredState) -> bool,
    ) -> bool {
        self.sync_tasks
            .keys()
            .filter(|who| !self.is_deaf(**who))
            .all(|who| {
                let heard = self.heard.get(who).and_then(|heard| heard.get(node));
                heard.is_some_and(&is_enough)
            })
    }

    /// Whether the instance is one of several and does not answer: it receives nothing, and gets no
    /// clients.
    pub(in crate::supervisor) fn is_deaf(&self, who: Who) -> bool {
        self.listening.is_some() && self.is_silent(who)
    }

    /// Whether the balancer instance does not answer.
    pub(in crate::supervisor) fn is_silent(&self, who: Who) -> bool {
        let pulse = self.liveness.get(&who);
        pulse.is_some_and(|pulse| pulse.silent_since().is_some())
    }

    /// A balancer instance has answered a probe, or has not.
    pub(in crate::supervisor) fn balancer_answered(&mut self, who: Who, answered: bool, now: Instant) {
        match self.liveness.get_mut(&who) {
            Some(pulse) if answered => pulse.answered(now),
            Some(pulse) => pulse.failed(),
            None => {}
        }
    }

    /// The nodes that get no new clients, for a balancer that reads them from its files.
    pub(in crate::supervisor) fn away(&self) -> Away {
        runtime_sync::away(&self.views())
    }

    // Private

    /// Probes the balancer instances, and kills one that has not answered for too long.
    fn probe_balancers(&mut self, now: Instant, late: bool) {
        let up: Vec<(Who, Identity)> = self
            .children
            .iter()
            .filter(|(who, child)| matches!(who, Who::Balancer(_)) && child.is_up())
            .filter_map(|(who, child)| Some((*who, child.process()?)))
            .collect();
        for (who, process) in up {
            let Who::Balancer(instance) = who else { continue };
            let pulse = self.liveness.entry(who).or_insert_with(|| Liveness::beating(now));
            let was = pulse.silent_since();
            pulse.judge(now, late);
            pulse.asked();
            let name = self.setting.title(who);
            match (was, pulse.silent_since()) {
                (None, Some(_)) => tracing::error!(child = name, "the balancer runs but does not answer"),
                (Some(_), None) => tracing::info!(child = name, "the balancer answers again"),
                (_, Some(since)) if now >= since + self.setting.cluster.restart.hung_after.duration() => {
                    self.apply(who, Event::Hung, now);
                }
                _ => {}
            }
            let (sign, news) = (self.setting.sign(instance), self.news.clone());
            tokio::spawn(async move {
                let asked = tokio::time::timeout(ANSWER_TIMEOUT, sign.lacks(process)).await;
                // A process without its socket is not hung for that reason: the inspection shows
                // what it does with clients.
                let answered = match asked {
                    Ok(None) => true,
                    Ok(Some(_)) => sign.is_unreachable().await.is_some(),
                    Err(_) => false,
                };
                let _nobody_listens_after_the_end = news.send(CoreEvent::Balancer { who, answered }).await;
            });
        }
    }

    fn hung_for(&self, index: usize, now: Instant) -> Duration {
        self.vitals[index]
            .silent_since()
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The desired state of each node at the balancer.
    fn views(&self) -> DesiredStates {
        let nodes = self.setting.cluster.nodes.iter().enumerate();
        nodes
            .map(|(index, node)| (node.name.clone(), self.view(index)))
            .collect()
    }

    /// The desired state of the node at the balancer.
    fn view(&self, index: usize) -> DesiredState {
        let name = &self.setting.cluster.nodes[index].name;
        let drained = self.drains.contains_key(name);
        let were_down = || self.were_down.contains(name);
        let health = match self.node_state(index) {
            _ if !self.knows(index) && were_down() => NodeHealth::InheritedDown,
            _ if !self.knows(index) => NodeHealth::Unknown,
            state if !state.answers() => NodeHealth::Down,
            // A drain already keeps clients from the node, and the balancer shows it as drained,
            // not down.
            _ if self.hold_downs[index].is_held() && !drained => NodeHealth::HeldDown,
            _ => NodeHealth::Up,
        };
        DesiredState {
            health,
            drained,
            orders: self.order_counts.get(name).copied().unwrap_or(0),
        }
    }

    /// Whether the node's state is known. A node that served before this supervisor started counts
    /// as up until a probe shows otherwise. An external node does not, unless it has answered.
    fn knows(&self, index: usize) -> bool {
        match self.own_child(index) {
            Some(child) => {
                !matches!(child.state, State::Starting { .. }) || !self.adopted.contains(&Who::Node(index))
            }
            None => self.adopted.is_empty() || !self.vitals[index].is_unheard(),
        }
    }
}
