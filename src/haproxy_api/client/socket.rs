//! The client of one stats socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::answer::{checked, done};
use super::error::RuntimeError;
use super::info::Info;
use super::row::Row;

/// The timeout for one command and its answer; HAProxy answers within milliseconds, unless it
/// hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// `show stat` with 1,000 servers is 0.5 MB, `show table` with 200,000 entries about 20 MB.
const MAX_ANSWER: u64 = 64 << 20;

/// A balancer's runtime API. Each command uses a connection of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    path: PathBuf,
}

impl Socket {
    /// The runtime API at `path`. It connects only when a command is sent.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Socket {
        Socket { path: path.into() }
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends one command, and returns the whole answer, including the empty line at its end.
    ///
    /// # Errors
    /// If no process listens, the answer does not arrive within five seconds or is larger than 64
    /// MiB, or `command` is more than one command. A refusal is an answer.
    pub async fn ask(&self, command: &str) -> Result<String, RuntimeError> {
        self.ask_within(command, ANSWER_TIMEOUT).await
    }

    /// [`Socket::ask`] with another timeout.
    pub(super) async fn ask_within(&self, command: &str, limit: Duration) -> Result<String, RuntimeError> {
        if command.contains(['\n', '\r', ';']) {
            return Err(RuntimeError::NotOneCommand {
                command: command.to_owned(),
            });
        }
        tokio::time::timeout(limit, self.exchange(command))
            .await
            .unwrap_or_else(|_| {
                Err(RuntimeError::Silent {
                    path: self.path.clone(),
                })
            })
    }

    /// Queries `show info`.
    pub async fn info(&self) -> Result<Info, RuntimeError> {
        let command = "show info";
        let answer = self.question(command).await?;
        Info::parse(&answer).ok_or_else(|| RuntimeError::unreadable(command))
    }

    /// Queries `show stat`: every frontend, server and backend.
    pub async fn stat(&self) -> Result<Vec<Row>, RuntimeError> {
        let command = "show stat";
        let answer = self.question(command).await?;
        Row::parse(&answer).ok_or_else(|| RuntimeError::unreadable(command))
    }

    /// The states of the servers for a new process: the content of the `server-state-file`.
    pub async fn servers_state(&self) -> Result<String, RuntimeError> {
        self.question("show servers state").await
    }

    /// Sends an order whose answer is empty if it succeeds.
    pub async fn order(&self, command: &str) -> Result<(), RuntimeError> {
        let answer = self.ask(command).await?;
        done(&answer).map_err(|source| RuntimeError::refused(command, source))
    }

    // Private

    /// Sends a query whose answer is never empty.
    pub(super) async fn question(&self, command: &str) -> Result<String, RuntimeError> {
        let answer = self.ask(command).await?;
        checked(&answer).map_err(|source| RuntimeError::refused(command, source))?;
        Ok(answer)
    }

    async fn exchange(&self, command: &str) -> Result<String, RuntimeError> {
        let path = || self.path.clone();
        let broken = |source| RuntimeError::Broken { path: path(), source };
        let mut stream = UnixStream::connect(&self.path)
            .await
            .map_err(|source| RuntimeError::NotRunning { path: path(), source })?;
        let line = format!("{command}\n");
        stream.write_all(line.as_bytes()).await.map_err(broken)?;
        let mut answer = Vec::new();
        let mut bounded = stream.take(MAX_ANSWER + 1);
        bounded.read_to_end(&mut answer).await.map_err(broken)?;
        // Every answer ends with a line break; without one, the process died within the answer.
        if !answer.ends_with(b"\n") {
            return Err(RuntimeError::unreadable(command));
        }
        String::from_utf8(answer).map_err(|_| RuntimeError::unreadable(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy_api::ServerHealth;
    use tokio::net::UnixListener;

    /// A balancer that sends one answer on each connection, and returns the command that it
    /// received.
    fn answering(answer: &'static [u8]) -> (tempfile::TempDir, Socket, tokio::task::JoinHandle<String>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut line = vec![0; 256];
            let length = stream.read(&mut line).await.unwrap();
            stream.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&line[..length]).into_owned()
        });
        (directory, Socket::new(path), asked)
    }

    #[tokio::test]
    async fn an_order_is_one_line() {
        let (_directory, socket, asked) = answering(b"\n");
        socket.set_health("be", "s1", ServerHealth::Down).await.unwrap();
        assert_eq!(asked.await.unwrap(), "set server be/s1 health down\n");
    }

    #[tokio::test]
    async fn a_refusal_is_an_error_in_haproxys_words() {
        let (_directory, socket, _asked) = answering(b"No such server.\n\n");
        let error = socket.set_health("be", "x", ServerHealth::Up).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the balancer refused `set server be/x health up`"
        );
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "No such server.");
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_short_is_an_error() {
        let (_directory, socket, _asked) = answering(b"# pxname,svna");
        let error = socket.stat().await.unwrap_err();
        assert!(matches!(error, RuntimeError::Unreadable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_missing_socket_is_an_error() {
        let socket = Socket::new("/nonexistent/socket");
        let error = socket.info().await.unwrap_err();
        assert_eq!(error.to_string(), "no balancer listens on `/nonexistent/socket`");
        assert!(error.hint().is_some());
    }

    #[tokio::test]
    async fn two_commands_are_not_one() {
        let socket = Socket::new("/nonexistent/socket");
        for command in ["show info;show stat", "show info\nshow stat"] {
            let error = socket.ask(command).await.unwrap_err();
            assert!(matches!(error, RuntimeError::NotOneCommand { .. }), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_times_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let _listener = UnixListener::bind(&path).unwrap();
        let error = Socket::new(path).info().await.unwrap_err();
        assert!(matches!(error, RuntimeError::Silent { .. }), "{error}");
    }
}
