//! Hands listeners over from one process to another, as HAProxy does on a reload (`-x`,
//! `expose-fd listeners`).
//!
//! ```text
//!  receiver                            owner
//!  "_getsocks\n"          ──────────▶
//!                         ◀──────────  their number: an `int` of the host
//!                         ◀──────────  for each: a namespace and an interface, here none, and an `int` of 0;
//!                                      the descriptors come beside it, 252 at most
//!  an `int`               ──────────▶
//! ```
//!
//! Source: `sock_get_old_sockets` in `src/sock.c` and `_getsocks` in `src/cli.c`, the same from 2.3
//! to 3.3. HAProxy hands over the listeners that it has bound or received this way, but not
//! inherited ones (`fd@`).

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use super::error::RuntimeError;
use super::socket::Socket;
use crate::haproxy_api::server::{ApiListener, ApiListenerError};
use crate::platform::fd_passing::{self, MAX_DESCRIPTORS};

/// HAProxy waits this long for each message.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// The command that requests them.
const COMMAND: &str = "_getsocks";
/// The options of each listener: no namespace, no interface, no flags.
const NO_OPTIONS: [u8; 6] = [0; 6];

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
        let socket = ApiListener::open(path)?;
        let listener = socket.listener().map_err(|source| ApiListenerError::Listen {
            path: path.to_owned(),
            source,
        })?;
        let listeners = Arc::new(ArcSwap::from_pointee(Vec::new()));
        let all = Arc::clone(&listeners);
        let giving = tokio::spawn(async move {
            // Removed when this task ends.
            let socket = socket;
            while let Ok((stream, _)) = listener.accept().await {
                let all = all.load_full();
                let given = match stream.into_std() {
                    Ok(stream) => tokio::task::spawn_blocking(move || give(&stream, &all)).await,
                    Err(error) => Ok(Err(error)),
                };
                if let Ok(Err(error)) = given {
                    tracing::warn!(socket = %socket.path().display(), "listeners were not handed over: {error}");
                }
            }
        });
        Ok(Handover { listeners, giving })
    }

    /// Sets the listeners to hand over, at most 252.
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
                let stream = UnixStream::connect(&path).map_err(|source| RuntimeError::NotRunning {
                    path: path.clone(),
                    source,
                })?;
                take(&stream).map_err(|source| RuntimeError::Broken { path, source })
            }
        });
        let silent = |_| RuntimeError::Silent { path };
        let taken = asked.await.map_err(silent)??;
        Ok(taken.into_iter().filter_map(tcp_listener).collect())
    }
}

// Private

fn give(stream: &UnixStream, listeners: &[Arc<TcpListener>]) -> io::Result<()> {
    in_time(stream)?;
    let mut command = [0; COMMAND.len() + 1];
    fd_passing::receive(stream, &mut command)?;
    if &command[..COMMAND.len()] != COMMAND.as_bytes() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an unknown command"));
    }
    let number = i32::try_from(listeners.len()).map_err(io::Error::other)?;
    fd_passing::send(stream, &number.to_ne_bytes(), &[])?;
    if listeners.is_empty() {
        return Ok(());
    }
    let fds: Vec<_> = listeners.iter().map(|listener| listener.as_fd()).collect();
    fd_passing::send(stream, &NO_OPTIONS.repeat(fds.len()), &fds)?;
    // The receiver closes the connection once it has them; until then nothing may be lost.
    fd_passing::receive(stream, &mut [0; size_of::<i32>()]).map(drop)
}

fn take(mut stream: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    in_time(stream)?;
    stream.write_all(format!("{COMMAND}\n").as_bytes())?;
    let mut number = [0; size_of::<i32>()];
    if fd_passing::receive(stream, &mut number)?.0 != number.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let number = usize::try_from(i32::from_ne_bytes(number)).map_err(io::Error::other)?;
    let mut fds = Vec::new();
    // Names of namespaces and interfaces are not used.
    let mut options = vec![0; MAX_DESCRIPTORS * NO_OPTIONS.len()];
    while fds.len() < number {
        let (length, more) = fd_passing::receive(stream, &mut options)?;
        if length == 0 {
            break;
        }
        fds.extend(more);
        // The other end may have closed the connection already.
        let _gone_or_not = fd_passing::send(stream, &0_i32.to_ne_bytes(), &[]);
    }
    Ok(fds)
}

fn in_time(stream: &UnixStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))
}

/// `None` for a UNIX socket: that of the runtime API is among them.
fn tcp_listener(fd: OwnedFd) -> Option<TcpListener> {
    let listener = TcpListener::from(fd);
    listener.local_addr().is_ok().then_some(listener)
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
    async fn a_missing_socket_is_an_error() {
        let error = Socket::new("/nonexistent/socket").listeners().await.unwrap_err();
        assert!(matches!(error, RuntimeError::NotRunning { .. }), "{error}");
    }
}
