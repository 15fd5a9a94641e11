//! `dataplane.yaml`: the configuration of the built-in balancer. It is not made from a template: it
//! is this type, serialised.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::units::Period;
use crate::profile::{Algorithm, PerIp, Table};

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
    /// The statistics page, `/stats;csv` and `/metrics`.
    #[serde(default)]
    pub stats: Option<SocketAddr>,
    /// `/health` and `/nginx_status`.
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
    /// Limits per client address; 0 means no limit.
    pub limits: PerIp,
}

/// A group of servers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataplaneBackend {
    /// Its name.
    pub name: String,
    /// Which server a new client gets; `uri` is refused.
    pub algorithm: Algorithm,
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
    /// Connections to a server that fail in a row until it is taken for down; never when 0.
    #[serde(default = "DataplaneBackend::default_ejection")]
    pub eject_after: u16,
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

    // Private

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut add = |problem: String| problems.push(problem);
        if self.workers == 0 {
            add("`workers` must be at least 1".to_owned());
        }
        if self.maxconn == 0 {
            add("`maxconn` must be at least 1".to_owned());
        }
        for (what, none) in [
            ("frontends", self.frontends.is_empty()),
            ("backends", self.backends.is_empty()),
        ] {
            if none {
                add(format!("`{what}` is empty"));
            }
        }
        for name in twice(
            self.frontends
                .iter()
                .map(|it| &it.name)
                .chain(self.backends.iter().map(|it| &it.name)),
        ) {
            add(format!("two frontends or backends have the name `{name}`"));
        }
        let pages = self.stats.iter().chain(&self.status);
        for at in twice(self.frontends.iter().flat_map(|it| &it.listen).chain(pages)) {
            add(format!("{at} is listened on twice"));
        }
        for frontend in &self.frontends {
            if frontend.listen.is_empty() {
                add(format!(
                    "frontend `{}` has no address to listen on",
                    frontend.name
                ));
            }
            if !self
                .backends
                .iter()
                .any(|backend| backend.name == frontend.backend)
            {
                add(format!(
                    "frontend `{}` is served by backend `{}`, which is not there",
                    frontend.name, frontend.backend
                ));
            }
        }
        for backend in &self.backends {
            problems.extend(backend.problems());
        }
        problems
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

    // Private

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut add = |problem: &str| problems.push(format!("backend `{}` {problem}", self.name));
        if self.servers.is_empty() {
            add("has no servers");
        }
        if self.algorithm.needs_http() {
            let name = self.algorithm.name();
            add(&format!(
                "cannot balance by `{name}`: the data plane does not parse requests"
            ));
        }
        if self.sticky.is_some_and(|table| table.size.get() == 0) {
            add("has a `sticky` table of size 0");
        }
        for name in twice(self.servers.iter().map(|it| &it.name)) {
            add(&format!("has two servers `{name}`"));
        }
        for id in twice(self.servers.iter().map(|it| &it.id)) {
            add(&format!("has two servers with id {id}"));
        }
        for server in &self.servers {
            if server.weight > 256 {
                add(&format!(
                    "gives `{}` weight {}; 256 is the most",
                    server.name, server.weight
                ));
            }
            if server.id == 0 {
                add(&format!("gives `{}` id 0; ids start at 1", server.name));
            }
        }
        if let Some(check) = self.check {
            if check.interval.is_zero() || check.fast_interval.is_zero() || check.timeout.is_zero() {
                add("has a check interval or timeout of 0");
            }
            if check.rise == 0 || check.fall == 0 {
                add("has a `rise` or `fall` of 0");
            }
        }
        problems
    }
}

// Private

/// The elements that appear more than once.
fn twice<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for item in all {
        if seen.contains(&item) {
            twice.push(item);
        } else {
            seen.insert(item);
        }
    }
    twice
}
