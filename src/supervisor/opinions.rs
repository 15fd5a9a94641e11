//! What we think of each node, and who hears of it: the balancer by its voice, an operator by the log.

use std::time::{Duration, Instant};

use super::child::{Child, Event, State};
use super::core::Core;
use super::look::node_state;
use super::news::News;
use super::pulse::{INTERVAL, LATE, PATIENCE, Pulse};
use super::rollout::Who;
use super::voice::{self, Health, Opinion, View};
use crate::api::NodeState;
use crate::platform::Identity;
use crate::runtime::Socket;

impl Core {
    /// Asks every running node for a sign of life, and judges what came back.
    pub(super) fn probe(&mut self, now: Instant) {
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
        self.probe_balancer(now, late);
        let running: Vec<(Who, Identity)> = self
            .children
            .iter()
            .filter_map(|(who, child)| Some((*who, child.process()?)))
            .collect();
        for (who, process) in running {
            self.meters.entry(who).or_default().read(process, now);
        }
    }

    /// What the node with this index does.
    pub(super) fn node_state(&self, index: usize) -> NodeState {
        let child = self.children.get(&Who::Node(index)).filter(|_| self.owns_nodes());
        let is_drained = self.drains.contains_key(&self.setting.cluster.nodes[index].name);
        node_state(child, &self.vitals[index], is_drained)
    }

    /// Tells the log what has changed, and the balancer what it has to know of each node.
    pub(super) fn have_opinion(&mut self, now: Instant) {
        for index in 0..self.vitals.len() {
            self.notice(index, now);
        }
        self.let_come_back(now);
        let nodes = self.setting.cluster.nodes.iter().enumerate();
        let opinion: Opinion = nodes
            .map(|(index, node)| (node.name.clone(), self.view(index)))
            .collect();
        self.opinion.send_if_modified(|told| {
            let changed = *told != opinion;
            *told = opinion;
            changed
        });
    }

    /// The balancer instance serves: from now on it hears our opinion.
    pub(super) fn give_voice(&mut self, who: Who, instance: usize, now: Instant) {
        self.have_opinion(now);
        self.heard.clear();
        self.balancer_pulse = Pulse::beating(now);
        let Some(socket) = self.setting.socket(instance) else {
            return;
        };
        let voice = voice::tell(
            socket,
            self.setting.clone(),
            self.opinion.subscribe(),
            self.news.clone(),
        );
        if let Some(before) = self.voices.insert(who, tokio::spawn(voice).abort_handle()) {
            before.abort();
        }
    }

    // Private

    /// Asks the balancer for a sign of life, and kills one that has given none for too long.
    fn probe_balancer(&mut self, now: Instant, late: bool) {
        const BALANCER: Who = Who::Balancer(0);
        let Some(socket) = self.setting.socket(0) else {
            return;
        };
        if !self.children.get(&BALANCER).is_some_and(Child::is_up) {
            return;
        }
        let was = self.balancer_pulse.silent_since();
        self.balancer_pulse.judge(now, late);
        self.balancer_pulse.asked();
        match (was, self.balancer_pulse.silent_since()) {
            (None, Some(_)) => tracing::error!("the balancer runs, and answers nothing"),
            (Some(_), None) => tracing::info!("the balancer answers again"),
            (_, Some(since)) if now >= since + self.setting.cluster.restart.hung_after.duration() => {
                self.apply(BALANCER, Event::Hung, now);
            }
            _ => {}
        }
        let news = self.news.clone();
        tokio::spawn(async move {
            let answered = tokio::time::timeout(PATIENCE, Socket::new(socket).info())
                .await
                .is_ok_and(|info| info.is_ok());
            let _nobody_listens_after_the_end = news.send(News::Balancer { answered }).await;
        });
    }

    fn hung_for(&self, index: usize, now: Instant) -> Duration {
        self.vitals[index]
            .silent_since()
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// What the balancer has to know of the node.
    fn view(&self, index: usize) -> View {
        let health = match self.node_state(index) {
            _ if !self.knows(index) => Health::Unsaid,
            state if !state.answers() => Health::Ill,
            _ if self.comebacks[index].is_held() => Health::HeldBack,
            _ => Health::Well,
        };
        let drained = self.drains.contains_key(&self.setting.cluster.nodes[index].name);
        View { health, drained }
    }

    /// Whether we may judge the node: one that served before we came is well until we know better.
    fn knows(&self, index: usize) -> bool {
        let who = Who::Node(index);
        match self.children.get(&who).filter(|_| self.owns_nodes()) {
            Some(child) => !matches!(child.state, State::Starting { .. }) || !self.adopted.contains(&who),
            None => !self.vitals[index].is_unheard(),
        }
    }
}
