//! The balancer at one moment, for the API.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Activity, ChildSnapshot, Snapshot};
use crate::api::{Balancer, BalancerState, Endpoints, FormerBalancer};
use crate::plan::ChosenBy;
use crate::supervisor::spec::Spec;
use crate::supervisor::waves::ChildId;

impl Snapshot {
    /// The balancer, with all of its instances.
    pub(super) fn balancer(&self, spec: &Spec) -> Balancer {
        let all = |activity| self.balancers.iter().all(|child| child.activity == activity);
        let any = |activity| self.balancers.iter().any(|child| child.activity == activity);
        let state = match () {
            () if !self.balanced || all(Activity::Idle) => BalancerState::Stopped,
            () if self.is_troubled() && !any(Activity::Serving) => BalancerState::Failed,
            () if any(Activity::Stopping) => BalancerState::Stopped,
            // Where there are several instances, the others serve the clients of one in trouble.
            () if (all(Activity::Serving) || self.is_troubled()) && !self.reloading => BalancerState::Running,
            () => BalancerState::Reloading,
        };
        let stats_sockets = spec.sockets();
        Balancer {
            kind: spec.balancer.kind(),
            version: spec.balancer.version().to_owned(),
            state,
            switching_to: self.switching_to,
            pids: self
                .balancers
                .iter()
                .chain(self.retired.iter().map(|(_, child)| child))
                .filter_map(|child| child.process)
                .map(|process| process.pid)
                .collect(),
            former: self.former(),
            restarts: self.balancers.iter().map(|child| child.restarts).sum(),
            uptime_seconds: self
                .balancers
                .iter()
                .map(|child| child.uptime_seconds)
                .max()
                .unwrap_or(0),
            endpoints: endpoints(spec, stats_sockets.first().cloned()),
            stats_sockets,
            overrides: self.balancer_overrides.clone(),
            chosen_by: chosen_by(spec),
        }
    }

    /// The balancer processes that accept no connections any more.
    fn former(&self) -> Vec<FormerBalancer> {
        let former = self.retired.iter().filter_map(|(kind, child)| {
            Some(FormerBalancer {
                kind: *kind,
                pid: child.process?.pid,
                connections: None,
            })
        });
        former.collect()
    }

    /// The balancer instances in trouble: their names, and the trouble.
    pub(super) fn broken(&self, spec: &Spec) -> impl Iterator<Item = (String, String)> {
        let balancers = self.balancers.iter().enumerate();
        let broken = balancers.filter(|(_, child)| self.balanced && child.is_troubled());
        broken.map(|(index, child)| {
            let what = match (child.activity, &child.reason) {
                (Activity::Silent, _) => "runs but does not answer".to_owned(),
                (_, Some(reason)) => format!("does not run: {reason}"),
                (_, None) => "does not run".to_owned(),
            };
            (spec.title(ChildId::Balancer(index)), what)
        })
    }

    /// Whether a balancer instance has died, or does not answer.
    pub(super) fn is_troubled(&self) -> bool {
        self.balancers.iter().any(ChildSnapshot::is_troubled)
    }

    /// The troubles of balancer instances, where there are several instances.
    pub(super) fn troubles(&self, spec: &Spec) -> impl Iterator<Item = String> {
        let broken = self.broken(spec).filter(|_| self.balancers.len() > 1);
        broken.map(|(name, what)| format!("{name} {what}"))
    }
}

// Private

fn chosen_by(spec: &Spec) -> BTreeMap<String, ChosenBy> {
    let listeners = spec.cluster.listen.ports();
    listeners
        .filter_map(|(key, _)| Some((key.to_owned(), spec.balancer.chosen_by(spec.deployment(), key)?)))
        .collect()
}

fn endpoints(spec: &Spec, stats_socket: Option<PathBuf>) -> Endpoints {
    let listen = &spec.cluster.listen;
    let clients = listen
        .ports()
        .map(|(key, port)| (key.to_owned(), listen.reachable(port)));
    let paths = listen.ports().filter_map(|(key, _)| {
        let path = spec.cluster.path_behind(key)?;
        Some((key.to_owned(), path.to_owned()))
    });
    let pages = listen.pages().map(|(key, address)| (key.to_owned(), address));
    Endpoints {
        listeners: clients.chain(pages).collect(),
        paths: paths.collect(),
        stats_socket,
        status_socket: spec.balancer.status_socket(spec.deployment()),
    }
}
