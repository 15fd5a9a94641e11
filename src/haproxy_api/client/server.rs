//! Commands for a server of a backend.

use super::error::RuntimeError;
use super::socket::Socket;

/// The health to set on a server, until its checks decide again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerHealth {
    /// The server is up.
    Up,
    /// The server is down; its connections are cut.
    Down,
}

/// The administrative state of a server; a later one is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerState {
    /// It gets its share of clients.
    Ready,
    /// It keeps its connections and gets no new clients, except by persistence.
    Drain,
    /// It gets no clients at all.
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
    /// Sets a server's health. It takes effect at once, and lasts until the server's own checks
    /// change it.
    ///
    /// # Errors
    /// If the command fails, there is no such server, or the server tracks another one.
    pub async fn set_health(
        &self,
        backend: &str,
        server: &str,
        health: ServerHealth,
    ) -> Result<(), RuntimeError> {
        self.order(&format!("set server {backend}/{server} health {}", health.name()))
            .await
    }

    /// Sets a server's administrative state. Servers that track this one follow; but `Ready` leaves
    /// them drained or in maintenance if that was set on them directly.
    ///
    /// # Errors
    /// If the command fails, or there is no such server.
    pub async fn set_state(
        &self,
        backend: &str,
        server: &str,
        state: ServerState,
    ) -> Result<(), RuntimeError> {
        self.order(&format!("set server {backend}/{server} state {}", state.name()))
            .await
    }

    /// Cuts every connection of this process to a server.
    ///
    /// # Errors
    /// If the command fails, or there is no such server.
    pub async fn shutdown_sessions(&self, backend: &str, server: &str) -> Result<(), RuntimeError> {
        self.order(&format!("shutdown sessions server {backend}/{server}"))
            .await
    }
}
