//! Statistics that BEAM nodes report, polled over Erlang's distribution protocol. Nothing depends
//! on them: of a node that does not answer, less is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::spec::Spec;
use crate::api;
use crate::erlang::beam;
use crate::erlang::distribution::{Observer, Vitals};
use crate::profile::{Node, NodeId};

/// Time between two polls of a node.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Time until the next poll when the node did not answer, or was not connected to all others: it or
/// another node may just be starting.
const SHORT_INTERVAL: Duration = Duration::from_millis(250);
/// Time for a node to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between two checks for nodes that are new in the cluster.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The latest answer of each node; a node that does not answer, or is not a BEAM node of this
/// cluster, has none.
pub(super) struct BeamStats {
    spec: Arc<ArcSwap<Spec>>,
    latest: Mutex<BTreeMap<NodeId, Vitals>>,
    end: CancellationToken,
}

impl BeamStats {
    /// Polls the nodes of the `spec` in force until the shutdown is ordered.
    pub(super) fn watched(spec: &Arc<ArcSwap<Spec>>, end: &CancellationToken) -> Arc<BeamStats> {
        let beam_stats = Arc::new(BeamStats {
            spec: spec.clone(),
            latest: Mutex::default(),
            end: end.clone(),
        });
        tokio::spawn(beam_stats.clone().watch_all());
        beam_stats
    }

    /// Adds the reported statistics to `nodes`, which are nodes of `spec`.
    pub(super) fn add_to(&self, nodes: &mut [api::Node], spec: &Spec) {
        let latest = self.latest();
        // An answer from before the process ended belongs to no process.
        for node in nodes.iter_mut().filter(|node| node.pid.is_some()) {
            let id = spec.cluster.node(&node.name).map(|node| node.id);
            node.erlang = id.and_then(|id| latest.get(&id).cloned());
        }
    }

    // Private

    /// Watches every node from when it is part of the cluster.
    async fn watch_all(self: Arc<Self>) {
        let mut watched = BTreeMap::new();
        loop {
            let spec = self.spec.load_full();
            for node in &spec.cluster.nodes {
                if watched.insert(node.id, node.distribution) == Some(node.distribution) {
                    continue;
                }
                match beam::target(node, &spec.run_dir) {
                    Ok(Some(target)) => {
                        tokio::spawn(self.clone().watch(node.clone(), Observer::new(target)));
                    }
                    Ok(None) => {}
                    Err(error) => tracing::error!(node = node.name, "not polled: {error}"),
                }
            }
            if !self.waits(CHECK_INTERVAL).await {
                return;
            }
        }
    }

    /// Polls the node as long as it is part of the cluster, at this address.
    async fn watch(self: Arc<Self>, node: Node, mut observer: Observer) {
        let id = node.id;
        let is_there = |it: &Node| it.distribution == node.distribution;
        while self.spec.load().cluster.by_id(id).is_some_and(is_there) {
            let vitals = observer.vitals(ANSWER_TIMEOUT).await;
            if let Err(error) = &vitals {
                tracing::debug!("a BEAM node does not report its statistics: {error}");
            }
            let others = self.spec.load().cluster.nodes.len().saturating_sub(1);
            let is_settled = vitals
                .as_ref()
                .is_ok_and(|vitals| vitals.connected.len() >= others);
            let pause = if is_settled { POLL_INTERVAL } else { SHORT_INTERVAL };
            match vitals {
                Ok(vitals) => self.latest().insert(id, vitals),
                Err(_) => self.latest().remove(&id),
            };
            if !self.waits(pause).await {
                return;
            }
        }
        self.latest().remove(&id);
    }

    /// Waits for this time; false when the shutdown is ordered.
    async fn waits(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.end.cancelled() => false,
        }
    }

    fn latest(&self) -> MutexGuard<'_, BTreeMap<NodeId, Vitals>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
