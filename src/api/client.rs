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

/// Every answer is made at once, so a supervisor that takes longer is stuck.
const ANSWER: Duration = Duration::from_secs(10);

/// But a reload waits for the running instance to settle, and for the new one to answer.
const RELOAD: Duration = Duration::from_mins(1);

/// Asks the supervisor behind one control socket.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no supervisor listens on `{}`", .0.display())]
    NotRunning(PathBuf),
    /// The socket is another user's.
    #[error("may not talk to the supervisor on `{}`", .0.display())]
    Forbidden(PathBuf),
    /// The supervisor said no.
    #[error("{}", .0.error)]
    Refused(Refusal),
    /// The supervisor has ended before it answered; what was ordered may be begun.
    #[error("the supervisor has ended before it answered")]
    Ended,
    /// No answer, or none that makes sense.
    #[error("the supervisor does not answer: {0}")]
    Broken(String),
}

impl Client {
    /// Connects to the supervisor that listens on `socket`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(socket: &Path) -> Result<Client, ClientError> {
        match tokio::net::UnixStream::connect(socket).await {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    // The last is a path that is too long for any socket.
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

    /// Who is up.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.call(Method::GET, "status", None::<&()>).await
    }

    /// Who is up, how fast, and what to look at.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.call(Method::GET, "health", None::<&()>).await
    }

    /// How far the rollout is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn progress(&self) -> Result<Progress, ClientError> {
        self.call(Method::GET, "progress", None::<&()>).await
    }

    /// The balancer's own view.
    ///
    /// # Errors
    /// When there is no answer, or no balancer to ask.
    pub async fn stats(&self) -> Result<Stats, ClientError> {
        self.call(Method::GET, "stats", None::<&()>).await
    }

    /// How the latest failovers went.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn failovers(&self) -> Result<Failovers, ClientError> {
        self.call(Method::GET, "failovers", None::<&()>).await
    }

    /// Starts what is not running yet; its progress is to be asked for.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn start(&self, order: &StartOrder) -> Result<(), ClientError> {
        self.call(Method::POST, "start", Some(order)).await
    }

    /// Stops everything.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn stop(&self, order: &StopOrder) -> Result<(), ClientError> {
        self.call(Method::POST, "stop", Some(order)).await
    }

    /// Restarts a node, or everything; its progress is to be asked for.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn restart(&self, order: &RestartOrder) -> Result<(), ClientError> {
        self.call(Method::POST, "restart", Some(order)).await
    }

    /// Puts another profile in force; answered when that is done, or has failed.
    ///
    /// # Errors
    /// When it is refused, or fails: the old one is in force then.
    pub async fn reload(&self, order: &ReloadOrder) -> Result<Reloaded, ClientError> {
        self.call_for(RELOAD, Method::POST, "reload", Some(order)).await
    }

    /// Drains a node.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn drain(&self, order: &DrainOrder) -> Result<(), ClientError> {
        self.call(Method::POST, "drain", Some(order)).await
    }

    /// Undoes a drain; the start of a node that it had stopped is to be asked for as progress.
    ///
    /// # Errors
    /// When it is refused.
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

/// Whether the other side is gone that had been reached.
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

/// An error with its causes, which reqwest leaves out of its own text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
