//! The control socket: for this user and root only.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

use crate::platform::RunDir;

/// Time without a connection after which the socket's file is looked for.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A UNIX listener that accepts only this user and root, as the kernel reports the peer. It is opened
/// again when its file was removed, as by programs that tidy up temporary files: no command could
/// reach the supervisor otherwise.
pub(in crate::supervisor) struct ControlSocket {
    listener: UnixListener,
    run_dir: RunDir,
    /// Why the removed file could not be made again.
    failure: Option<String>,
}

impl ControlSocket {
    /// Listens in `run_dir`, replacing a dead supervisor's socket. The caller holds the cluster's
    /// lock.
    pub(in crate::supervisor) fn open(run_dir: &RunDir) -> io::Result<ControlSocket> {
        Ok(ControlSocket {
            listener: listen(run_dir)?,
            run_dir: run_dir.clone(),
            failure: None,
        })
    }

    // Private

    fn restore_if_removed(&mut self) {
        let path = self.run_dir.control_socket();
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => return,
        }
        // All of the directory may have been removed.
        let made = self.run_dir.create().map_err(io::Error::other);
        match made.and_then(|()| listen(&self.run_dir)) {
            Ok(listener) => {
                tracing::warn!(
                    "`{}` was removed by another process; it is opened again",
                    path.display()
                );
                self.listener = listener;
                self.failure = None;
            }
            Err(error) => {
                let failure = Some(error.to_string());
                if self.failure != failure {
                    tracing::error!(
                        "`{}` was removed, and cannot be opened again: {error}",
                        path.display()
                    );
                    self.failure = failure;
                }
            }
        }
    }
}

impl Listener for ControlSocket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            let (stream, address) = tokio::select! {
                accepted = Listener::accept(&mut self.listener) => accepted,
                () = tokio::time::sleep(CHECK_INTERVAL) => {
                    self.restore_if_removed();
                    continue;
                }
            };
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == 0 || peer.uid() == nix::unistd::geteuid().as_raw() => {
                    return (stream, address);
                }
                Ok(peer) => tracing::warn!(uid = peer.uid(), "refused another user on the control socket"),
                Err(error) => tracing::warn!("refused a peer of unknown user on the control socket: {error}"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

// Private

fn listen(run_dir: &RunDir) -> io::Result<UnixListener> {
    let path = run_dir.control_socket();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
