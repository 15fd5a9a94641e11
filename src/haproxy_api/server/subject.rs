//! The data plane behind the runtime API.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

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

/// A server to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewServer {
    /// Its address.
    pub address: SocketAddr,
    /// Its number; the next one when null.
    pub id: Option<u32>,
    /// Its weight, 0 to 256.
    pub weight: u16,
    /// Its limit of connections; 0 means no limit.
    pub maxconn: u32,
    /// Whether it gets clients at once; otherwise it begins in maintenance.
    pub ready: bool,
    /// How it is checked once its checks are enabled; never when null.
    pub check: Option<NewCheck>,
    /// The server that it tracks.
    pub track: Option<ServerRef>,
}

/// How a new server is checked; null is as the others of its backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewCheck {
    /// Time between two checks.
    pub interval: Option<Duration>,
    /// Time between two checks while the state is about to change.
    pub fast_interval: Option<Duration>,
    /// Good answers until it is up.
    pub rise: Option<u16>,
    /// Bad answers until it is down.
    pub fall: Option<u16>,
    /// The address to check; the server's when null.
    pub ip: Option<IpAddr>,
    /// The port to check; the server's when null.
    pub port: Option<u16>,
}

/// An order for a data plane. The names in it were found in [`Subject::proxies`] or
/// [`Subject::tables`] just before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Adds a server to a backend that has none of its name.
    AddServer(ServerRef, NewServer),
    /// Removes a server that is in maintenance and has no clients.
    DeleteServer(ServerRef),
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
    /// Makes a client belong to the server with this number in a sticky table. Without a number the
    /// client keeps its entry, or gets one with the number 0, which no server has.
    SetTable {
        /// The table.
        table: String,
        /// The client.
        key: IpAddr,
        /// The server's number.
        server: Option<u32>,
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

    /// The listeners that another process can take over, in the order of members.
    fn listeners(&self) -> Vec<Arc<TcpListener>> {
        Vec::new()
    }

    /// Whether it is announced that the process will stop. It still accepts connections.
    fn is_stop_announced(&self) -> bool {
        false
    }

    /// Whether all of its threads do their work.
    fn is_live(self: Arc<Self>) -> BoxFuture<'static, bool> {
        Box::pin(std::future::ready(true))
    }

    /// Executes an order, which is in force when this returns.
    fn order(self: Arc<Self>, order: Order) -> BoxFuture<'static, Result<(), Refusal>>;
}
