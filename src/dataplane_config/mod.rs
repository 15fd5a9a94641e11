//! `dataplane.yaml`: the configuration of the built-in balancer. It is not made from a template: it
//! is this type, serialised.

mod http;
mod problems;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::units::Period;
use crate::profile::{Algorithm, PerIp, Table};

pub use http::{DataplaneHttp, DataplaneHttpBackend, DataplaneRoutes, PathOnly};

/// The configuration of the built-in balancer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dataplane {
    /// The cluster's name; `node` in `show info`.
    pub cluster: String,
    /// Threads that carry connections, each with its own descriptor table; at least one.
    pub workers: u16,
    /// Client connections of the whole process; more wait to be accepted.
    pub maxconn: u32,
    /// The runtime API's UNIX socket.
    pub socket: PathBuf,
    /// The UNIX socket on which the parent process hands over the listening sockets of all addresses,
    /// those of the pages included, by HAProxy's protocol. When null, the process opens its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listeners: Option<PathBuf>,
    /// Where sticky clients are stored while the process does not run; not stored when null.
    #[serde(default)]
    pub memory: Option<PathBuf>,
    /// File with the names of servers that start drained, one a line; `#` begins a comment. A
    /// missing file means none.
    #[serde(default)]
    pub drained: Option<PathBuf>,
    /// File with the names of servers that start down until a check succeeds; same format as
    /// `drained`.
    #[serde(default)]
    pub down: Option<PathBuf>,
    /// File with the line `stopping` while `/ready` has to answer that the process will stop, and
    /// with a line such as `over 30s`: the time over which SIGTERM closes connections, if it is
    /// longer than that of the command. Same format as `drained`; it is read whenever it is needed.
    #[serde(default)]
    pub stopping: Option<PathBuf>,
    /// The statistics page, `/stats;csv` and `/metrics`.
    #[serde(default)]
    pub stats: Option<SocketAddr>,
    /// `/health`, `/ready`, `/live` and `/nginx_status`.
    #[serde(default)]
    pub status: Option<SocketAddr>,
    /// Source addresses of connections to servers, in turn; the kernel's choice when empty.
    #[serde(default)]
    pub sources: Vec<IpAddr>,
    /// The source address of checks, which distinguishes them from clients; the kernel's choice
    /// when null.
    #[serde(default)]
    pub check_source: Option<IpAddr>,
    /// The timeouts.
    pub timeouts: DataplaneTimeouts,
    /// Settings of HTTP.
    #[serde(default)]
    pub http: DataplaneHttp,
    /// Where clients connect; at least one.
    pub frontends: Vec<DataplaneFrontend>,
    /// The servers, in groups; at least one.
    pub backends: Vec<DataplaneBackend>,
}

/// The timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataplaneTimeouts {
    /// For a server to accept a connection.
    pub connect: Period,
    /// Silence of a client.
    pub client: Period,
    /// Silence of a server.
    pub server: Period,
    /// For a server below its maxconn.
    pub queue: Period,
    /// For the whole head of a request.
    #[serde(default = "DataplaneTimeouts::default_http_request")]
    pub http_request: Period,
    /// Between two requests of one client connection.
    #[serde(default = "DataplaneTimeouts::default_keep_alive")]
    pub keep_alive: Period,
    /// Between two requests of one connection to a server; a server can ask for less.
    #[serde(default = "DataplaneTimeouts::default_node_keep_alive")]
    pub node_keep_alive: Period,
    /// Silence of an upgraded connection, or of an answer that is a stream.
    #[serde(default = "DataplaneTimeouts::default_tunnel")]
    pub tunnel: Period,
    /// Age at which a client's connection ends as soon as nothing is under way on it; not by age
    /// when null. Streams and upgraded connections stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Period>,
}

/// One kind of client traffic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataplaneFrontend {
    /// Its name.
    pub name: String,
    /// Addresses to listen on; at least one. IPv6 ones take IPv6 only.
    pub listen: Vec<SocketAddr>,
    /// Connections at the same time; 0 is as many as the process.
    #[serde(default)]
    pub maxconn: u32,
    /// The backend that serves.
    pub backend: String,
    /// How requests are routed; when null, bytes are relayed.
    #[serde(default)]
    pub http: Option<DataplaneRoutes>,
    /// Limits per client address; 0 means no limit.
    pub limits: PerIp,
}

/// A group of servers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataplaneBackend {
    /// Its name.
    pub name: String,
    /// Which server a new client gets; `uri` needs `http`.
    pub algorithm: Algorithm,
    /// What is done with requests and answers; when null, bytes are relayed.
    #[serde(default)]
    pub http: Option<DataplaneHttpBackend>,
    /// The table of sticky clients, by address; disabled when null.
    #[serde(default)]
    pub sticky: Option<Table>,
    /// Clients of this backend that may wait for a server below its maxconn; more are refused.
    #[serde(default = "DataplaneBackend::default_queue")]
    pub queue: u32,
    /// Time in which a server that is up again returns to its full share; disabled when zero.
    #[serde(default)]
    pub slowstart: Period,
    /// How the servers are checked; disabled when null.
    #[serde(default)]
    pub check: Option<DataplaneCheck>,
    /// The backend whose servers of the same names decide on the health and the state of these;
    /// each backend for itself when null.
    #[serde(default)]
    pub track: Option<String>,
    /// Connections to a server that fail in a row until it is taken for down; never when 0.
    #[serde(default = "DataplaneBackend::default_ejection")]
    pub eject_after: u16,
    /// Answers of a server with a status of 500 or more in a row until it is taken for down; never
    /// when null.
    #[serde(default)]
    pub eject_errors: Option<u16>,
    /// Its servers; at least one.
    pub servers: Vec<DataplaneServer>,
}

/// Health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataplaneCheck {
    /// Time between two checks.
    pub interval: Period,
    /// Time between two checks while the state is about to change.
    pub fast_interval: Period,
    /// Time for an answer.
    pub timeout: Period,
    /// Good answers until a server is up.
    pub rise: u16,
    /// Bad answers until it is down.
    pub fall: u16,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataplaneServer {
    /// Its name.
    pub name: String,
    /// Its number in `show stat`, unique in its backend; from 1.
    pub id: u32,
    /// Its address.
    pub address: SocketAddr,
    /// Its share of the load relative to the other servers, 0 to 256.
    pub weight: u16,
    /// The most concurrent connections; 0 means no limit.
    pub maxconn: u32,
    /// The kind of check.
    pub question: DataplaneQuestion,
    /// The address to check; `address` when null.
    #[serde(default)]
    pub check_address: Option<SocketAddr>,
    /// The path of a check over HTTP.
    #[serde(default = "DataplaneServer::default_check_path")]
    pub check_path: String,
    /// Set for servers that are not of the file: the runtime API has added them.
    #[serde(skip)]
    pub added: Option<AddedServer>,
}

/// What is special about a server that the runtime API has added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedServer {
    /// Whether it gets clients at once; otherwise it begins in maintenance.
    pub ready: bool,
    /// How it is checked once its checks are enabled; never when null.
    pub check: Option<DataplaneCheck>,
}

/// The kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataplaneQuestion {
    /// Whether a connection is accepted.
    Tcp,
    /// Sends one JSON-RPC line, and expects a JSON-RPC line.
    Mcp,
    /// Sends `GET` of `check_path`, and expects a 2xx.
    Http,
    /// Sends `POST` of MCP's `server/discover` to `check_path`, and expects any status below 500.
    Discover,
}

/// What is wrong with a `dataplane.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataplaneError {
    /// The text is not YAML, or a key is missing or unknown.
    #[error("{0}")]
    Syntax(String),
    /// It contradicts itself; all contradictions, a line each.
    #[error("{}", .0.join("\n"))]
    Senseless(Vec<String>),
}

impl Dataplane {
    /// Reads `text`.
    ///
    /// # Errors
    /// When it cannot be read, or contradicts itself.
    pub fn parse(text: &str) -> Result<Dataplane, DataplaneError> {
        let config: Dataplane =
            serde_yaml::from_str(text).map_err(|error| DataplaneError::Syntax(error.to_string()))?;
        let problems = config.problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(DataplaneError::Senseless(problems))
        }
    }

    /// The text, which [`Dataplane::parse`] can read.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        // Only maps with keys that are not text cannot be written, and there are none.
        serde_yaml::to_string(self).unwrap_or_default()
    }
}

impl DataplaneServer {
    /// The default path of a check over HTTP.
    #[must_use]
    pub fn default_check_path() -> String {
        "/health".to_owned()
    }
}

impl DataplaneBackend {
    /// The default limit of a backend's queue.
    #[must_use]
    pub const fn default_queue() -> u32 {
        10_000
    }

    /// The default error limit that ejects a server, as HAProxy's `error-limit`.
    #[must_use]
    pub const fn default_ejection() -> u16 {
        10
    }
}

impl DataplaneTimeouts {
    /// The default time for the whole head of a request.
    #[must_use]
    pub fn default_http_request() -> Period {
        Period::from(Duration::from_secs(30))
    }

    /// The default time between two requests of one client connection.
    #[must_use]
    pub fn default_keep_alive() -> Period {
        Period::from(Duration::from_mins(5))
    }

    /// The default time between two requests of one connection to a server.
    #[must_use]
    pub fn default_node_keep_alive() -> Period {
        Period::from(Duration::from_secs(4))
    }

    /// The default for the silence of streams.
    #[must_use]
    pub fn default_tunnel() -> Period {
        Period::from(Duration::from_hours(1))
    }
}
