//! The supervisor's client.

use std::io;
use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};

use super::{Call, Refusal};

/// The status of a refusal because the cluster has no node of that name.
pub const UNKNOWN_NODE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// A client of the supervisor behind one control socket.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    supervisor: Option<u32>,
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
    /// The supervisor refused the request because the cluster has no node of that name.
    #[error("{}", .0.error)]
    UnknownNode(Refusal),
    /// The supervisor is of a version without this call.
    #[error("{}", .0.error)]
    UnknownCall(Refusal),
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
        let supervisor = match tokio::net::UnixStream::connect(socket).await {
            Ok(stream) => pid_of_peer(&stream),
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
        };
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .no_proxy()
            .build()
            .map_err(|error| ClientError::Broken(chain(&error)))?;
        Ok(Client { http, supervisor })
    }

    /// The pid of the supervisor; `None` when it is in another PID namespace.
    #[must_use]
    pub const fn supervisor(&self) -> Option<u32> {
        self.supervisor
    }

    /// Sends `order`, and returns the supervisor's answer.
    ///
    /// # Errors
    /// When the supervisor refuses the order, or does not answer within [`Call::TIMEOUT`].
    pub async fn call<C: Call>(&self, order: &C) -> Result<C::Answer, ClientError> {
        let broken = |error: reqwest::Error| {
            if is_cut_off(&error) || is_gone(&error) {
                ClientError::Ended
            } else {
                ClientError::Broken(chain(&error))
            }
        };
        let mut request = self
            .http
            .request(C::METHOD, format!("http://clusterctl{}", C::PATH))
            .timeout(C::TIMEOUT);
        if C::METHOD == Method::POST {
            request = request.json(order);
        }
        let response = request.send().await.map_err(broken)?;
        if response.status().is_success() {
            return response.json().await.map_err(broken);
        }
        let status = response.status();
        match response.json::<Refusal>().await {
            Ok(refusal) if status == StatusCode::NOT_FOUND => Err(ClientError::UnknownCall(refusal)),
            Ok(refusal) if status == UNKNOWN_NODE => Err(ClientError::UnknownNode(refusal)),
            Ok(refusal) => Err(ClientError::Refused(refusal)),
            Err(_) => Err(ClientError::Broken(format!("it answered {status}"))),
        }
    }
}

// Private

/// The process that listens at the other end.
fn pid_of_peer(stream: &tokio::net::UnixStream) -> Option<u32> {
    let pid = stream.peer_cred().ok()?.pid()?;
    // 0 stands for a process of another PID namespace.
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// Whether no process listens any more: the supervisor has ended since this client was made.
fn is_gone(error: &(dyn std::error::Error + 'static)) -> bool {
    let by_kernel = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
        )
    };
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.downcast_ref().is_some_and(by_kernel))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::GetStatus;

    #[tokio::test]
    async fn a_supervisor_that_ends_before_the_next_call_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        for is_removed in [false, true] {
            let socket = directory.path().join("control.sock");
            let listener = tokio::net::UnixListener::bind(&socket).unwrap();
            let client = Client::connect(&socket).await.unwrap();
            drop(listener);
            if is_removed {
                std::fs::remove_file(&socket).unwrap();
            }
            let answer = client.call(&GetStatus).await;
            assert!(matches!(answer, Err(ClientError::Ended)), "{answer:?}");
            let _gone_or_not = std::fs::remove_file(&socket);
        }
    }
}
