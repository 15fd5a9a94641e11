//! The supervisor's client.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    DrainOrder, Failovers, Health, Progress, Readied, ReadyOrder, Refusal, ReloadOrder, Reloaded,
    RestartOrder, StartOrder, Stats, Status, StopOrder,
};

/// Timeout of an answer. Every answer is made at once, so a supervisor that takes longer is stuck.
const ANSWER: Duration = Duration::from_secs(10);

/// Timeout of a reload, which waits for the running instance to settle and for the new one to
/// answer.
const RELOAD: Duration = Duration::from_mins(1);

/// A client of the supervisor behind one control socket.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No process listens on the socket.
    #[error("no supervisor listens on `{}`", .0.display())]
    NotRunning(PathBuf),
    /// The socket belongs to another user.
    #[error("permission denied on the supervisor's socket `{}`", .0.display())]
    Forbidden(PathBuf),
    /// The supervisor refused the request.
    #[error("{}", .0.error)]
    Refused(Refusal),
    /// The supervisor ended before it answered; the order may have been begun.
    #[error("the supervisor ended before it answered")]
    Ended,
    /// The supervisor did not answer, or its answer is malformed.
    #[error("the supervisor does not answer: {0}")]
    Broken(String),
}

impl Client {
    /// Connects to the supervisor that listens on `socket`.
    pub async fn connect(socket: &Path) -> Result<Client, ClientError> {
        match tokio::net::UnixStream::connect(socket).await {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    // The last error means a path that is too long for a socket.
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::InvalidInput
                ) =>
            {
                return Err(ClientError::NotRunning(socket.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(ClientError::Forbidden(socket.to_owned()));
            }
            Err(error) => return Err(ClientError::Broken(error.to_string())),
        }
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .no_proxy()
            .build()
            .map_err(|error| ClientError::Broken(chain(&error)))?;
        Ok(Client { http })
    }

    /// The status of the cluster.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.call(Method::GET, "status", None::<&()>).await
    }

    /// The status of the cluster, with latencies and alerts.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.call(Method::GET, "health", None::<&()>).await
    }

    /// The progress of the rollout.
    pub async fn progress(&self) -> Result<Progress, ClientError> {
        self.call(Method::GET, "progress", None::<&()>).await
    }

    /// The balancer's statistics.
    ///
    /// # Errors
    /// When the supervisor does not answer, or no balancer runs.
    pub async fn stats(&self) -> Result<Stats, ClientError> {
        self.call(Method::GET, "stats", None::<&()>).await
    }

    /// The latest failovers.
    pub async fn failovers(&self) -> Result<Failovers, ClientError> {
        self.call(Method::GET, "failovers", None::<&()>).await
    }

    /// Starts what is not running yet. [`progress`](Client::progress) shows how far that is.
    pub async fn start(&self, order: &StartOrder) -> Result<(), ClientError> {
        self.call(Method::POST, "start", Some(order)).await
    }

    /// Stops everything.
    pub async fn stop(&self, order: &StopOrder) -> Result<(), ClientError> {
        self.call(Method::POST, "stop", Some(order)).await
    }

    /// Restarts a node, or everything. [`progress`](Client::progress) shows how far that is.
    pub async fn restart(&self, order: &RestartOrder) -> Result<(), ClientError> {
        self.call(Method::POST, "restart", Some(order)).await
    }

    /// Puts another profile in force; answered when that is done, or has failed.
    ///
    /// # Errors
    /// When the reload is refused, or fails: the old profile is then in force.
    pub async fn reload(&self, order: &ReloadOrder) -> Result<Reloaded, ClientError> {
        self.call_for(RELOAD, Method::POST, "reload", Some(order)).await
    }

    /// Drains a node.
    pub async fn drain(&self, order: &DrainOrder) -> Result<(), ClientError> {
        self.call(Method::POST, "drain", Some(order)).await
    }

    /// Ends a drain. If the drain had stopped the node, [`progress`](Client::progress) shows how
    /// far its start is.
    pub async fn ready(&self, order: &ReadyOrder) -> Result<Readied, ClientError> {
        self.call(Method::POST, "ready", Some(order)).await
    }

    // Private

    async fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        verb: &str,
        order: Option<&(impl Serialize + Sync + ?Sized)>,
    ) -> Result<A, ClientError> {
        self.call_for(ANSWER, method, verb, order).await
    }

    async fn call_for<A: DeserializeOwned>(
        &self,
        patience: Duration,
        method: Method,
        verb: &str,
        order: Option<&(impl Serialize + Sync + ?Sized)>,
    ) -> Result<A, ClientError> {
        let broken = |error: reqwest::Error| {
            if is_cut_off(&error) {
                ClientError::Ended
            } else {
                ClientError::Broken(chain(&error))
            }
        };
        let mut request = self
            .http
            .request(method, format!("http://clusterctl/v1/{verb}"))
            .timeout(patience);
        if let Some(order) = order {
            request = request.json(order);
        }
        let response = request.send().await.map_err(broken)?;
        if response.status().is_success() {
            return response.json().await.map_err(broken);
        }
        let status = response.status();
        match response.json::<Refusal>().await {
            Ok(refusal) => Err(ClientError::Refused(refusal)),
            Err(_) => Err(ClientError::Broken(format!("it answered {status}"))),
        }
    }
}

// Private

/// Whether the connection was established and then closed by the other side.
fn is_cut_off(error: &(dyn std::error::Error + 'static)) -> bool {
    let by_http = |error: &hyper::Error| error.is_incomplete_message() || error.is_canceled();
    let by_kernel = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        )
    };
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.downcast_ref().is_some_and(by_http) || error.downcast_ref().is_some_and(by_kernel))
}

/// The text of an error and its causes, which reqwest leaves out of its own text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
