//! Statistics that BEAM nodes report, polled over Erlang's distribution protocol. Nothing depends
//! on them: of a node that does not answer, less is shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::spec::Spec;
use crate::api::Node;
use crate::erlang::beam;
use crate::erlang::distribution::{Observer, Vitals};

/// Time between two polls of a node.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Time until the next poll when the node did not answer, or was not connected to all others: it or
/// another node may just be starting.
const SHORT_INTERVAL: Duration = Duration::from_millis(250);
/// Time for a node to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The latest answer of each node; `None` for a node that does not answer, or is not a BEAM node of
/// this cluster.
pub(super) struct BeamStats(Vec<Mutex<Option<Vitals>>>);

impl BeamStats {
    /// Polls the nodes of `spec` until the shutdown is ordered.
    pub(super) fn watched(spec: &Spec, end: &CancellationToken) -> Arc<BeamStats> {
        let nodes = &spec.cluster.nodes;
        let beam_stats = Arc::new(BeamStats(nodes.iter().map(|_| Mutex::default()).collect()));
        for (index, node) in nodes.iter().enumerate() {
            match beam::target(node, &spec.run_dir) {
                Ok(Some(target)) => {
                    let watch = beam_stats
                        .clone()
                        .watch(index, Observer::new(target), end.clone());
                    tokio::spawn(watch);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(node = node.name, "not polled: {error}"),
            }
        }
        beam_stats
    }

    /// Adds the reported statistics to `nodes`, which are all nodes in their order.
    pub(super) fn add_to(&self, nodes: &mut [Node]) {
        for (index, node) in nodes.iter_mut().enumerate().take(self.0.len()) {
            // An answer from before the process ended belongs to no process.
            if node.pid.is_some() {
                node.erlang.clone_from(&self.latest(index));
            }
        }
    }

    // Private

    async fn watch(self: Arc<Self>, index: usize, mut observer: Observer, end: CancellationToken) {
        let others = self.0.len() - 1;
        loop {
            let vitals = observer.vitals(ANSWER_TIMEOUT).await;
            if let Err(error) = &vitals {
                tracing::debug!("a BEAM node does not report its statistics: {error}");
            }
            let vitals = vitals.ok();
            let is_settled = vitals
                .as_ref()
                .is_some_and(|vitals| vitals.connected.len() >= others);
            let pause = if is_settled { POLL_INTERVAL } else { SHORT_INTERVAL };
            *self.latest(index) = vitals;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = end.cancelled() => return,
            }
        }
    }

    fn latest(&self, index: usize) -> MutexGuard<'_, Option<Vitals>> {
        self.0[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
