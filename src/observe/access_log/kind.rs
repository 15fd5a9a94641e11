//! The kinds of traffic that nginx's access log distinguishes.

use crate::profile::Cluster;

/// One kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MCP over TCP.
    Tcp,
    /// Requests and their answers.
    Http,
    /// `WebSockets`.
    WebSocket,
    /// Event streams.
    Sse,
}

impl Kind {
    /// The number of kinds.
    pub(super) const COUNT: usize = 4;

    /// All kinds, in the order in which they are shown.
    pub const ALL: [Kind; Kind::COUNT] = [Kind::Tcp, Kind::Http, Kind::WebSocket, Kind::Sse];

    /// The kind with this name in the log.
    #[must_use]
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name in the log; also the key of its listener in the profile.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Tcp => "tcp",
            Kind::Http => "http",
            Kind::WebSocket => "websocket",
            Kind::Sse => "sse",
        }
    }

    /// The name of its frontend, as in HAProxy's configuration.
    #[must_use]
    pub const fn frontend(self) -> &'static str {
        match self {
            Kind::Tcp => "mcp_frontend_tcp",
            Kind::Http => "mcp_frontend_http",
            Kind::WebSocket => "mcp_frontend_websocket",
            Kind::Sse => "mcp_frontend_sse",
        }
    }

    /// The name of its upstream, as in the reference document.
    #[must_use]
    pub const fn upstream(self) -> &'static str {
        match self {
            Kind::Tcp => "erlmcp_tcp_cluster",
            Kind::Http => "erlmcp_http_cluster",
            Kind::WebSocket => "erlmcp_websocket_cluster",
            Kind::Sse => "erlmcp_sse_cluster",
        }
    }

    /// Whether `cluster` has nodes for this kind, and a listener that accepts it.
    #[must_use]
    pub fn is_served(self, cluster: &Cluster) -> bool {
        let listen = &cluster.listen;
        if self == Kind::Tcp {
            return listen.tcp.is_some();
        }
        // On the HTTP listener, the path distinguishes `WebSockets` and event streams from
        // requests.
        let by_path = listen.http.is_some() || listen.https.is_some();
        let own = match self {
            Kind::WebSocket => listen.websocket.is_some(),
            Kind::Sse => listen.sse.is_some(),
            Kind::Tcp | Kind::Http => false,
        };
        cluster.has_http() && (by_path || own)
    }
}
