//! What the dialect speaks about: a data plane that can be asked and told.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::figures::{ProcessFigures, Proxies, SessionFigures, TableEntry, TableFigures};
use crate::haproxy_api::{ServerHealth, ServerState};

/// A server, by its places in [`Proxies`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRef {
    /// The backend's name.
    pub backend: String,
    /// The server's name.
    pub server: String,
}

/// What a data plane can be told. Names in it were found in [`Subject::proxies`] or
/// [`Subject::tables`] just before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// What is wanted of a server.
    State(ServerRef, ServerState),
    /// What a server's health is, until its checks know better.
    Health(ServerRef, ServerHealth),
    /// A server's weight, 0 to 256.
    Weight(ServerRef, u16),
    /// Where a server is; what it has, it keeps.
    Address(ServerRef, SocketAddr),
    /// A server's connections at most; 0 is no limit.
    ServerMaxconn(ServerRef, u32),
    /// A frontend's connections at most.
    FrontendMaxconn(String, u32),
    /// The process's connections at most; 0 is as configured.
    GlobalMaxconn(u32),
    /// Whether a server is checked.
    Checks(ServerRef, bool),
    /// A frontend accepts again.
    EnableFrontend(String),
    /// A frontend lets clients wait.
    DisableFrontend(String),
    /// A frontend closes its listeners for good.
    ShutdownFrontend(String),
    /// A session ends.
    ShutdownSession(u64),
    /// All sessions of a server end.
    ShutdownSessions(ServerRef),
    /// Highest values (`all`: and sums) begin anew.
    ClearCounters {
        /// Sums too.
        all: bool,
    },
    /// Entries of a table are forgotten: those printed as `keys`, unless somebody uses them.
    ClearTable {
        /// The table.
        table: String,
        /// Their keys, as they are printed.
        keys: Vec<String>,
    },
    /// The configuration file is read again and put in force.
    Reload,
}

/// Why an order is not carried out: a sentence for whoever gave it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A data plane.
pub trait Subject: Send + Sync + 'static {
    /// The process.
    fn process(&self) -> ProcessFigures;

    /// All frontends and backends.
    fn proxies(&self) -> Proxies;

    /// All tables, sticky ones and those of limits: named as the backend or frontend whose they
    /// are.
    fn tables(&self) -> Vec<TableFigures>;

    /// A table's entries; none when there is no such table.
    fn entries(&self, table: &str) -> Option<Vec<TableEntry>>;

    /// All sessions.
    fn sessions(self: Arc<Self>) -> BoxFuture<'static, Vec<SessionFigures>>;

    /// Carries an order out. When the answer is there, it is in force.
    fn order(self: Arc<Self>, order: Order) -> BoxFuture<'static, Result<(), Refusal>>;
}
