//! Hands listeners over to other processes, and takes them over.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, JoinSet};

use super::error::RuntimeError;
use super::socket::Socket;
use crate::haproxy_api::listeners;
use crate::haproxy_api::server::{ApiListener, ApiListenerError};

/// The most processes and threads that get listeners at the same time; more wait.
const MAX_RECEIVERS: usize = 64;
/// Wait after a failed accept.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The runtime of all handovers, with a thread of its own: HAProxy gives up after one second, and on a
/// busy machine a supervisor takes longer than that to start many processes in one turn.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("handover")
        .enable_all()
        .build()
});

/// Hands listeners over to every process that requests them, until it is dropped.
#[derive(Debug)]
pub struct Handover {
    listeners: Arc<ArcSwap<Listeners>>,
    giving: JoinHandle<()>,
}

/// The listeners to hand over.
type Listeners = Vec<Arc<TcpListener>>;

impl Handover {
    /// Opens the socket at `path`, with no listeners to hand over yet.
    pub fn open(path: &Path) -> Result<Handover, ApiListenerError> {
        let failed = |source| ApiListenerError::Listen {
            path: path.to_owned(),
            source,
        };
        let runtime = RUNTIME
            .as_ref()
            .map_err(|error| failed(io::Error::new(error.kind(), error.to_string())))?;
        let _entered = runtime.enter();
        let socket = ApiListener::open(path)?;
        let listener = socket.listener().map_err(failed)?;
        let listeners = Arc::new(ArcSwap::from_pointee(Vec::new()));
        let all = Arc::clone(&listeners);
        let giving = runtime.spawn(async move {
            // Removed when this task ends.
            let socket = socket;
            let mut receivers = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // The usual cause is a lack of descriptors, which ends.
                    tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
                    continue;
                };
                while receivers.try_join_next().is_some() {}
                if receivers.len() >= MAX_RECEIVERS {
                    receivers.join_next().await;
                }
                let (all, path) = (all.load_full(), socket.path().to_owned());
                let stream = stream.into_std();
                receivers.spawn_blocking(move || {
                    let given = stream.and_then(|stream| {
                        listeners::read_command(&stream)?;
                        listeners::send(&stream, &all)
                    });
                    if let Err(error) = given {
                        tracing::warn!(socket = %path.display(), "listeners were not handed over: {error}");
                    }
                });
            }
        });
        Ok(Handover { listeners, giving })
    }

    /// Sets the listeners to hand over, in this order.
    pub fn give(&self, listeners: Listeners) {
        self.listeners.store(Arc::new(listeners));
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        self.giving.abort();
    }
}

impl Socket {
    /// Copies of the TCP listeners that the process has bound or received by a [`Handover`]. The
    /// process keeps them, too.
    ///
    /// # Errors
    /// If the request fails, or the process does not hand them over.
    pub async fn listeners(&self) -> Result<Vec<TcpListener>, RuntimeError> {
        let path = self.path().to_owned();
        let asked = tokio::task::spawn_blocking({
            let path = path.clone();
            move || {
                let stream = listeners::connect(&path).map_err(|source| RuntimeError::NotRunning {
                    path: path.clone(),
                    source,
                })?;
                listeners::receive(&stream).map_err(|source| RuntimeError::Broken { path, source })
            }
        });
        let silent = |_| RuntimeError::Silent { path };
        asked.await.map_err(silent)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn listeners_can_be_requested_repeatedly() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listeners: Vec<Arc<TcpListener>> = ["127.0.0.1:0", "[::1]:0"]
            .map(|address| Arc::new(TcpListener::bind(address).unwrap()))
            .into();
        let addresses =
            |all: Vec<TcpListener>| -> Vec<_> { all.iter().map(|one| one.local_addr().unwrap()).collect() };
        let handover = Handover::open(&path).unwrap();
        assert!(Socket::new(&path).listeners().await.unwrap().is_empty());
        handover.give(listeners.clone());
        for _ in 0..2 {
            let given = Socket::new(&path).listeners().await.unwrap();
            let expected: Vec<_> = listeners.iter().map(|one| one.local_addr().unwrap()).collect();
            assert_eq!(addresses(given), expected);
        }
        drop(handover);
        while path.exists() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn listeners_are_given_while_the_process_is_busy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let handover = Handover::open(&path).unwrap();
        handover.give(vec![Arc::new(TcpListener::bind("127.0.0.1:0").unwrap())]);
        // This blocks the only thread of the test's runtime.
        assert_eq!(listeners::take_listeners(&path).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_missing_socket_is_an_error() {
        let error = Socket::new("/nonexistent/socket").listeners().await.unwrap_err();
        assert!(matches!(error, RuntimeError::NotRunning { .. }), "{error}");
    }
}
