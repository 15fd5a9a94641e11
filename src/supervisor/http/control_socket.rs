//! The control socket: for this user and root only.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::serve::Listener;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

/// A UNIX listener that accepts only this user and root, as the kernel reports the peer.
pub(in crate::supervisor) struct ControlSocket {
    listener: UnixListener,
}

impl ControlSocket {
    /// Listens at `path`, replacing a dead supervisor's socket. The caller holds the cluster's
    /// lock.
    pub(in crate::supervisor) fn open(path: &Path) -> io::Result<ControlSocket> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(ControlSocket { listener })
    }
}

impl Listener for ControlSocket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
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
