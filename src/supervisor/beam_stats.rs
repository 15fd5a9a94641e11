//! What BEAM nodes say of themselves, asked again and again over Erlang's distribution protocol. Nothing depends on it: a node
//! that does not say is one of which less is shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::spec::Spec;
use crate::api::Node;
use crate::base::shutdown::Shutdown;
use crate::erlang::beam;
use crate::erlang::distribution::{Observer, Vitals};

/// Between two questions to a node.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The same, where it has not answered the last one, or was not connected to all others: it may just be starting, or another one.
const SOON: Duration = Duration::from_millis(250);
/// A node has so long to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What each node has said last; nothing of one that does not answer, or is no BEAM node of ours.
pub(super) struct Emulators(Vec<Mutex<Option<Vitals>>>);

impl Emulators {
    /// Asks those of `setting` from now on, until the end is ordered.
    pub(super) fn watched(setting: &Spec, end: &Shutdown) -> Arc<Emulators> {
        let nodes = &setting.cluster.nodes;
        let emulators = Arc::new(Emulators(nodes.iter().map(|_| Mutex::default()).collect()));
        for (index, node) in nodes.iter().enumerate() {
            match beam::target(node, &setting.run_dir) {
                Ok(Some(target)) => {
                    let watch = emulators.clone().watch(index, Observer::new(target), end.clone());
                    tokio::spawn(watch);
                }
                Ok(None) => {}
                Err(error) => tracing::error!(node = node.name, "not asked how it is: {error}"),
            }
        }
        emulators
    }

    /// Adds to `nodes`, which are all nodes in their order, what they say of themselves.
    pub(super) fn tell(&self, nodes: &mut [Node]) {
        for (index, node) in nodes.iter_mut().enumerate().take(self.0.len()) {
            // What it has said before it ended is of no process.
            if node.pid.is_some() {
                node.erlang.clone_from(&self.said(index));
            }
        }
    }

    // Private

    async fn watch(self: Arc<Self>, index: usize, mut observer: Observer, end: Shutdown) {
        let others = self.0.len() - 1;
        loop {
            let vitals = observer.vitals(ANSWER_TIMEOUT).await;
            if let Err(error) = &vitals {
                tracing::debug!("a node does not say how it is: {error}");
            }
            let vitals = vitals.ok();
            let is_settled = vitals
                .as_ref()
                .is_some_and(|vitals| vitals.connected.len() >= others);
            let pause = if is_settled { POLL_INTERVAL } else { SOON };
            *self.said(index) = vitals;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = end.ordered() => return,
            }
        }
    }

    fn said(&self, index: usize) -> MutexGuard<'_, Option<Vitals>> {
        self.0[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
