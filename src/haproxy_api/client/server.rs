//! What a server of a backend is told.

use super::error::RuntimeError;
use super::socket::Socket;

/// What a server is told to think of its own health, until its checks know better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerHealth {
    /// It serves.
    Up,
    /// It does not; its connections are cut.
    Down,
}

/// What an administrator wants of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It takes its share.
    Ready,
    /// It keeps what it has and is given nothing new, but for what persistence sends.
    Drain,
    /// It is given nothing at all.
    Maint,
}

impl ServerHealth {
    const fn name(self) -> &'static str {
        match self {
            ServerHealth::Up => "up",
            ServerHealth::Down => "down",
        }
    }
}

impl ServerState {
    const fn name(self) -> &'static str {
        match self {
            ServerState::Ready => "ready",
            ServerState::Drain => "drain",
            ServerState::Maint => "maint",
        }
    }
}

impl Socket {
    /// Tells a server's health. Takes effect at once, and lasts until its own checks say otherwise.
    ///
    /// # Errors
    /// When it cannot be asked, there is no such server, or the server tracks another one.
    pub async fn set_health(
        &self,
        backend: &str,
        server: &str,
        health: ServerHealth,
    ) -> Result<(), RuntimeError> {
        self.order(&format!("set server {backend}/{server} health {}", health.name()))
            .await
    }

    /// Tells what is wanted of a server. Servers that track this one follow, but `Ready` leaves
    /// them drained or in maintenance when they were told that themselves.
    ///
    /// # Errors
    /// When it cannot be asked, or there is no such server.
    pub async fn set_state(
        &self,
        backend: &str,
        server: &str,
        state: ServerState,
    ) -> Result<(), RuntimeError> {
        self.order(&format!("set server {backend}/{server} state {}", state.name()))
            .await
    }

    /// Cuts every connection that this process has to a server.
    ///
    /// # Errors
    /// When it cannot be asked, or there is no such server.
    pub async fn shutdown_sessions(&self, backend: &str, server: &str) -> Result<(), RuntimeError> {
        self.order(&format!("shutdown sessions server {backend}/{server}"))
            .await
    }
}
