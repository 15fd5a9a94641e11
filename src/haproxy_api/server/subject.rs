//! The data plane behind the runtime API.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::figures::{ProcessFigures, Proxies, SessionFigures, TableEntry, TableFigures};
use crate::haproxy_api::{ServerHealth, ServerState};

/// A server, by its names in [`Proxies`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRef {
    /// The backend's name.
    pub backend: String,
    /// The server's name.
    pub server: String,
}

/// An order for a data plane. The names in it were found in [`Subject::proxies`] or
/// [`Subject::tables`] just before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Sets a server's administrative state.
    State(ServerRef, ServerState),
    /// Sets a server's health, until its checks decide again.
    Health(ServerRef, ServerHealth),
    /// Sets a server's weight, 0 to 256.
    Weight(ServerRef, u16),
    /// Sets a server's address; its connections continue.
    Address(ServerRef, SocketAddr),
    /// Sets a server's limit of connections; 0 means no limit.
    ServerMaxconn(ServerRef, u32),
    /// Sets a frontend's limit of connections.
    FrontendMaxconn(String, u32),
    /// Sets the process's limit of connections; 0 restores the configured one.
    GlobalMaxconn(u32),
    /// Enables or disables a server's checks.
    Checks(ServerRef, bool),
    /// Makes a frontend accept again.
    EnableFrontend(String),
    /// Pauses a frontend: clients wait.
    DisableFrontend(String),
    /// Closes a frontend's listeners permanently.
    ShutdownFrontend(String),
    /// Ends a session.
    ShutdownSession(u64),
    /// Ends all sessions of a server.
    ShutdownSessions(ServerRef),
    /// Resets highest values (`all`: and sums).
    ClearCounters {
        /// Resets sums, too.
        all: bool,
    },
    /// Removes the entries of a table that are printed as `keys`, unless they are in use.
    ClearTable {
        /// The table.
        table: String,
        /// The keys, as they are printed.
        keys: Vec<String>,
    },
    /// Reads the configuration file again and applies it.
    Reload,
}

/// The reason why an order is refused, as the answer to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A data plane.
pub trait Subject: Send + Sync + 'static {
    /// The process.
    fn process(&self) -> ProcessFigures;

    /// All frontends and backends.
    fn proxies(&self) -> Proxies;

    /// All tables, sticky ones and those of limits: each has the name of the backend or frontend
    /// that it belongs to.
    fn tables(&self) -> Vec<TableFigures>;

    /// A table's entries; `None` if there is no such table.
    fn entries(&self, table: &str) -> Option<Vec<TableEntry>>;

    /// All sessions.
    fn sessions(self: Arc<Self>) -> BoxFuture<'static, Vec<SessionFigures>>;

    /// Executes an order, which is in force when this returns.
    fn order(self: Arc<Self>, order: Order) -> BoxFuture<'static, Result<(), Refusal>>;
}
