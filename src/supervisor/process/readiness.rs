//! How a balancer instance shows that it serves.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use crate::haproxy_api::{Socket, StatusPage};
use crate::platform::Identity;

/// What shows that an instance serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Readiness {
    /// Its runtime API, with the instance's own pid.
    RuntimeApi(PathBuf),
    /// The status page for the supervisor, on a socket that is removed before an instance starts.
    StatusPage(PathBuf),
    /// Nothing: it serves when it runs.
    Running,
}

impl Readiness {
    /// What `process` does not answer yet; `None` when it answers everything.
    pub(in crate::supervisor) async fn lacks(&self, process: Identity) -> Option<String> {
        match self {
            // The socket's path outlives a dead balancer and is the new one's too: only the pid
            // distinguishes them.
            Readiness::RuntimeApi(socket) => match Socket::new(socket.clone()).info().await {
                Ok(info) if info.pid == process.pid => None,
                Ok(info) => Some(answered_by(socket, info.pid)),
                Err(error) => Some(error.to_string()),
            },
            Readiness::StatusPage(socket) => match StatusPage::new(socket).read().await {
                Ok(_) => listener(socket)
                    .await
                    .filter(|pid| *pid != process.pid)
                    .map(|pid| answered_by(socket, pid)),
                Err(error) => Some(error.to_string()),
            },
            Readiness::Running => None,
        }
    }

    /// Why no process listens on the socket, if that is so: a hung process still listens there.
    pub(in crate::supervisor) async fn is_unreachable(&self) -> Option<io::Error> {
        let socket = match self {
            Readiness::RuntimeApi(socket) | Readiness::StatusPage(socket) => socket,
            Readiness::Running => return None,
        };
        let connecting = UnixStream::connect(socket).await;
        connecting.err().filter(is_absent)
    }
}

/// The process that has opened the socket; `None` when it cannot be seen.
async fn listener(socket: &Path) -> Option<u32> {
    let peer = UnixStream::connect(socket).await.ok()?.peer_cred().ok()?;
    // 0 stands for a process of another PID namespace.
    u32::try_from(peer.pid()?).ok().filter(|pid| *pid > 0)
}

/// A process other than the one that was started answers, such as the child of a shell script, which
/// gets none of the signals.
fn answered_by(socket: &Path, pid: u32) -> String {
    format!(
        "`{}` is answered by pid {pid}, which is not the process that was started: a script has to `exec` it",
        socket.display()
    )
}

/// Whether connecting to a socket failed because no process listens there.
pub(in crate::supervisor) fn is_absent(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind())
}
