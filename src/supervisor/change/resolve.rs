//! A change because host names have other addresses in DNS.
//!
//! Its nodes are drained for as long as their clients stay. Meanwhile the next change, by an order or
//! by DNS, takes the drain over. A rollout that has stopped stays as it is: only nodes that come to
//! DNS or leave it take part.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Change, Remains};
use crate::api::{ChangeOrder, Refusal, RolloutKind, Target};
use crate::profile::{Cluster, NodeId, Resolved, load_with};
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::resolver::refused_words;
use crate::supervisor::rollout::current::CurrentRollout;
use crate::supervisor::spec::Spec;

/// Time until a change that has stopped is tried again.
const RETRY_INTERVAL: Duration = Duration::from_mins(1);

impl Core {
    /// Prepares the change to these addresses, unless it is made already, or has to wait.
    pub(in crate::supervisor) fn follow_dns(&mut self, wanted: Resolved) {
        if !self.is_due(&wanted) {
            return self.resolver.accept();
        }
        if self.refuse_while_busy().is_err() || !self.rollouts.may_follow_dns() {
            return;
        }
        let (base, snapshot) = (self.spec.clone(), self.snapshot());
        let order = ChangeOrder {
            target: Target::Resume,
            dry_run: false,
            close: false,
            deadline: None,
            force: true,
            by: "DNS".to_owned(),
        };
        self.rollouts.begin_preparing();
        self.events.spawn(async move {
            let prepared = Change::prepare(base, &order, Some(wanted), &snapshot).await;
            CoreEvent::ResolvePrepared(prepared.map(Box::new))
        });
    }

    /// The change to other addresses is prepared.
    pub(in crate::supervisor) fn resolve_prepared(
        &mut self,
        prepared: Result<Box<Change>, Refusal>,
        now: Instant,
    ) {
        self.rollouts.end_preparing();
        if !self.rollouts.may_follow_dns() {
            return;
        }
        match prepared {
            Err(refusal) => {
                let words = refused_words(&refusal.error);
                if self.resolver.refuse(refusal.error) {
                    tracing::warn!("{words}");
                }
            }
            Ok(change) => {
                self.resolver.accept();
                // Another order came first: the next look-up tries again.
                if let Err(refusal) = self.begin_prepared(*change, now) {
                    tracing::info!("the addresses of host names stay for now: {}", refusal.error);
                }
            }
        }
    }

    // Private

    /// Whether the `wanted` addresses need a change that is neither made nor on its way.
    fn is_due(&self, wanted: &Resolved) -> bool {
        let is_other = *wanted != self.spec.launch.resolved;
        match self.rollouts.current() {
            Some(running) if running.is_of_dns() && running.target().launch.resolved == *wanted => {
                has_stopped_long_ago(running)
            }
            Some(_) => is_other,
            // A switch has interrupted the drain of nodes.
            None => is_other || !self.spec.others.is_empty(),
        }
    }
}

/// The nodes of `base` that a change of addresses to `target` leaves as they are, where a rollout has
/// left these `remains`.
pub(super) fn untouched(base: &Spec, target: &Cluster, remains: &Remains) -> BTreeSet<NodeId> {
    // Without the nodes of former profiles and addresses.
    let in_force = load_with(&base.launch.source, &base.launch.resolved);
    let is_in_force = |name: &str| in_force.as_ref().is_ok_and(|it| it.node(name).is_some());
    let others_stopped = remains
        .order
        .as_ref()
        .is_some_and(|(order, _)| order.kind != RolloutKind::Resolve);
    let nodes = base.cluster.nodes.iter();
    let untouched = nodes.filter(
        |node| match (is_in_force(&node.name), target.by_id(node.id).is_some()) {
            (true, stays) => stays,
            (false, true) => false,
            (false, false) => others_stopped && !remains.gone_from_dns.contains(&node.id),
        },
    );
    untouched.map(|node| node.id).collect()
}

// Private

fn has_stopped_long_ago(running: &CurrentRollout) -> bool {
    let since = running.order().since.elapsed().unwrap_or_default();
    !running.is_running() && since >= RETRY_INTERVAL
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::supervisor::change::mixture::{Others, mixed_spec};
    use crate::supervisor::change::serving::Limited;
    use crate::supervisor::core::model::small_spec;
    use crate::supervisor::prepare::Prepared;
    use crate::supervisor::rollout::rollouts::Rollouts;
    use crate::supervisor::rollout::saved::SavedRollout;
    use crate::supervisor::rollout::state::{ClusterView, RolloutOrder, RolloutSettings};
    use crate::supervisor::rollout::steps::{Batches, Step, Work};
    use crate::supervisor::waves::Condition;

    const MEMBERS: &str = "nodes.members=[{name: web, address: web.test, tcp_port: 9001}, \
                           {name: a, address: 127.0.0.1, tcp_port: 9002}]";

    /// Two members, of which `web` has these addresses.
    fn spec(addresses: &[&str]) -> Spec {
        let mut spec = small_spec(&["nodes.runtime=external", MEMBERS]);
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        spec.launch.resolved = [("web.test".to_owned(), addresses.collect())].into();
        spec.cluster = load_with(&spec.launch.source, &spec.launch.resolved).unwrap();
        spec.launch.ids.assign(&mut spec.cluster);
        spec
    }

    /// The same with other addresses.
    fn moved(spec: &Spec, addresses: &[&str]) -> Spec {
        let mut next = self::spec(addresses);
        next.launch.ids = spec.launch.ids.clone();
        next.cluster = load_with(&next.launch.source, &next.launch.resolved).unwrap();
        next.launch.ids.assign(&mut next.cluster);
        next
    }

    fn settings() -> RolloutSettings {
        RolloutSettings {
            batches: Batches { canary: 0, batch: 1 },
            close_after: None,
            start_timeout: Duration::from_secs(30),
            hold: Duration::ZERO,
        }
    }

    fn order(kind: RolloutKind) -> RolloutOrder {
        RolloutOrder {
            kind,
            by: "DNS".to_owned(),
            since: SystemTime::now(),
        }
    }

    fn change(kind: RolloutKind, base: &Spec, target: &Spec, work: Work) -> Change {
        Change {
            base: Arc::new(base.clone()),
            target: Arc::new(target.clone()),
            first: Prepared::of(target.clone(), Vec::new()),
            others: Others::new(),
            work,
            names: BTreeMap::new(),
            order: order(kind),
            settings: settings(),
            replaced: BTreeSet::new(),
            takes_over: false,
            drained: BTreeSet::new(),
            owns_nodes: true,
            last: None,
            limited: Limited::default(),
            taken: Vec::new(),
            has_way_back: false,
        }
    }

    fn id(spec: &Spec, name: &str) -> NodeId {
        spec.cluster.node(name).unwrap().id
    }

    fn named(spec: &Spec, names: &[&str]) -> BTreeSet<NodeId> {
        names.iter().map(|name| id(spec, name)).collect()
    }

    #[test]
    fn only_nodes_that_come_to_dns_or_leave_it_take_part() {
        let one = spec(&["10.0.0.1"]);
        let two = moved(&one, &["10.0.0.2"]);
        let gone = id(&one, "web-10.0.0.1");
        let base = mixed_spec(&two, Others::from([(gone, Arc::new(one.clone()))]));
        let names = ["web-10.0.0.1", "web-10.0.0.2", "a"];
        assert!(names.iter().all(|name| base.cluster.node(name).is_some()));
        let by_dns = Remains {
            order: Some((order(RolloutKind::Resolve), settings())),
            ..Remains::default()
        };
        // The next address leaves too: both are drained.
        let three = moved(&base, &["10.0.0.3"]);
        assert_eq!(untouched(&base, &three.cluster, &by_dns), named(&base, &["a"]));
        // The first address is back.
        let both = moved(&base, &["10.0.0.1", "10.0.0.2"]);
        let stay = named(&base, &["a", "web-10.0.0.2"]);
        assert_eq!(untouched(&base, &both.cluster, &by_dns), stay);
        // A node that a stopped rollout has not removed yet stays until that goes on.
        let stopped = Remains {
            order: Some((order(RolloutKind::Remove), settings())),
            ..Remains::default()
        };
        let stay = named(&base, &["a", "web-10.0.0.1"]);
        assert_eq!(untouched(&base, &three.cluster, &stopped), stay);
        let taken_over = Remains {
            gone_from_dns: BTreeSet::from([gone]),
            ..stopped
        };
        assert_eq!(
            untouched(&base, &three.cluster, &taken_over),
            named(&base, &["a"])
        );
    }

    /// Nodes that have clients, and of which everything else has been seen.
    struct WithClients;

    impl ClusterView for WithClients {
        fn condition(&self, _: NodeId) -> Condition {
            Condition::Up
        }

        fn serves(&self, _: NodeId) -> bool {
            true
        }

        fn why_silent(&self, _: NodeId) -> Option<String> {
            None
        }

        fn is_drained_by_operator(&self, _: NodeId) -> bool {
            false
        }

        fn is_stopped_by_operator(&self, _: NodeId) -> bool {
            false
        }

        fn not_serving(&self, _: &[NodeId]) -> Option<(NodeId, String)> {
            None
        }

        fn connections_left(&self, _: NodeId) -> Option<u64> {
            Some(1)
        }

        fn applied(&self) -> Option<Result<(), String>> {
            Some(Ok(()))
        }

        fn objection(&self, _: bool) -> Option<String> {
            None
        }
    }

    /// The nodes of `spec` that have left DNS are drained.
    fn draining(rollouts: &mut Rollouts, spec: &Spec) {
        let work = Work {
            removed: vec![id(spec, "web-10.0.0.1")],
            ..Work::default()
        };
        rollouts.begin(change(RolloutKind::Resolve, spec, spec, work));
        let current = rollouts.current_mut().unwrap();
        let now = Instant::now();
        let mut advance = || current.after(current.rollout().check(&WithClients, now), now);
        assert_eq!(advance(), Some(Step::Apply));
        assert!(matches!(advance(), Some(Step::Drain(_))));
        assert_eq!(advance(), None);
    }

    fn kind(running: Option<&CurrentRollout>) -> Option<RolloutKind> {
        running.map(CurrentRollout::kind)
    }

    #[test]
    fn a_drain_for_dns_keeps_nothing_waiting() {
        let spec = spec(&["10.0.0.1"]);
        let mut rollouts = Rollouts::default();
        let resolve = || change(RolloutKind::Resolve, &spec, &spec, Work::default());
        rollouts.begin(resolve());
        assert!(rollouts.busy().is_some() && !rollouts.may_follow_dns());
        draining(&mut rollouts, &spec);
        assert_eq!(kind(rollouts.running()), Some(RolloutKind::Resolve));
        assert!(rollouts.busy().is_none() && rollouts.may_follow_dns());
        rollouts.give_up_drain_for_dns();
        assert!(rollouts.current().is_none());
        rollouts.begin(change(RolloutKind::Scale, &spec, &spec, Work::default()));
        assert!(rollouts.busy().is_some() && !rollouts.may_follow_dns());
        rollouts.give_up_drain_for_dns();
        assert_eq!(kind(rollouts.busy()), Some(RolloutKind::Scale));
    }

    #[test]
    fn a_stopped_rollout_is_shown_while_another_follows_dns_and_after_it() {
        let spec = spec(&["10.0.0.1"]);
        let mut rollouts = Rollouts::default();
        let stopped = SavedRollout {
            kind: RolloutKind::Remove,
            by: "root (pid 1)".to_owned(),
            since: SystemTime::now(),
            batch: 1,
            close_after: None,
            drained: BTreeSet::new(),
            replaced: BTreeSet::new(),
            added: BTreeSet::new(),
            pending: None,
            stopped: Some("the balancer has not applied the configuration".to_owned()),
            undoes: None,
        };
        rollouts.restore(stopped.clone(), |_| BTreeSet::new(), &Arc::new(spec.clone()));
        assert!(rollouts.may_follow_dns());
        draining(&mut rollouts, &spec);
        let remains = rollouts.remains();
        assert_eq!(remains.order.unwrap().0.kind, RolloutKind::Remove);
        assert_eq!(remains.gone_from_dns, named(&spec, &["web-10.0.0.1"]));
        assert_eq!(rollouts.to_api().current.unwrap().stopped, stopped.stopped);
        assert_eq!(rollouts.to_save(|_| None), Some(stopped));
        // The next change by DNS takes over only the drain.
        draining(&mut rollouts, &spec);
        assert_eq!(rollouts.end().unwrap().kind, RolloutKind::Resolve);
        assert_eq!(kind(rollouts.current()), Some(RolloutKind::Remove));
        draining(&mut rollouts, &spec);
        rollouts.begin(change(RolloutKind::Undo, &spec, &spec, Work::default()));
        assert_eq!(rollouts.end().unwrap().kind, RolloutKind::Undo);
        assert!(rollouts.current().is_none());
    }
}
