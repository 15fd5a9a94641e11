//! What the built-in balancer needs beside its addresses to serve HTTP.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::units::{Network, Size};
use crate::profile::Paths;

/// Settings of HTTP for the whole process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataplaneHttp {
    /// The largest head of a request or of an answer: its first line and its headers.
    pub head: Size,
    /// The largest body of a request; no limit when null.
    pub body: Option<Size>,
    /// Networks of proxies whose `X-Forwarded-*` headers are believed.
    pub trusted: Vec<Network>,
    /// The file to which each request is logged, a line of JSON each; disabled when null.
    pub access_log: Option<PathBuf>,
}

/// How the requests of a frontend are routed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataplaneRoutes {
    /// The paths that are served; others get 404.
    pub paths: Paths,
    /// The only kind of paths that is served, all of it by `backend`; when null, the path and the
    /// headers of a request decide on the backend.
    #[serde(default)]
    pub only: Option<PathOnly>,
    /// The backend for `WebSockets`.
    pub websocket: String,
    /// The backend for event streams.
    pub sse: String,
}

/// The only kind of paths that a frontend serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PathOnly {
    /// Event streams.
    Sse,
    /// `WebSockets`.
    WebSocket,
}

/// What a backend does with requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataplaneHttpBackend {
    /// Name of the cookie that names a client's server; disabled when null.
    pub cookie: Option<String>,
    /// Whether a request with the id of a session goes to the server that the id names.
    pub follows_sessions: bool,
    /// Whether clients get the ids of sessions with the server's name behind them.
    pub names_sessions: bool,
    /// Types of answers that are compressed when their length is known.
    pub compress: Vec<String>,
    /// Whether all answers are streams, so that `timeouts.tunnel` applies to them from the start.
    pub stream: bool,
}

impl DataplaneHttp {
    /// The default limit of a head, in bytes.
    const DEFAULT_HEAD: u64 = 32 << 10;
}

impl Default for DataplaneHttp {
    fn default() -> DataplaneHttp {
        DataplaneHttp {
            head: Size::from(DataplaneHttp::DEFAULT_HEAD),
            body: None,
            trusted: Vec::new(),
            access_log: None,
        }
    }
}

impl DataplaneRoutes {
    /// The backends that serve beside the frontend's own one.
    pub(super) fn others(&self) -> [&str; 2] {
        [&self.websocket, &self.sse]
    }
}

impl PathOnly {
    /// The kind of paths.
    #[must_use]
    pub const fn kind(self) -> crate::profile::PathKind {
        match self {
            PathOnly::Sse => crate::profile::PathKind::Sse,
            PathOnly::WebSocket => crate::profile::PathKind::WebSocket,
        }
    }
}
