//! The figures of a data plane. How they are written is up to the commands and pages.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::profile::Algorithm;

/// The process: `show info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessFigures {
    /// The cluster's name.
    pub node: String,
    /// Its pid.
    pub pid: u32,
    /// Its age.
    pub uptime: Duration,
    /// When it began, in seconds since 1970.
    pub start_time: u64,
    /// Threads that carry connections.
    pub threads: u32,
    /// `RLIMIT_NOFILE`.
    pub nofile: u64,
    /// The limit of client connections.
    pub maxconn: u32,
    /// The configured limit of client connections.
    pub hard_maxconn: u32,
    /// Client connections now.
    pub connections: u32,
    /// Client connections since the start.
    pub connections_total: u64,
    /// Requests since the start: over HTTP, and one for each connection over TCP.
    pub requests_total: u64,
    /// New client connections in the last second.
    pub connection_rate: u32,
    /// The highest rate of new client connections.
    pub connection_rate_max: u32,
    /// Sessions begun in the last second: connections that were not refused by a limit.
    pub session_rate: u32,
    /// The highest session rate.
    pub session_rate_max: u32,
    /// Bytes sent to clients and servers since the start.
    pub bytes_out: u64,
    /// Bytes sent in the last second.
    pub bytes_out_rate: u64,
    /// Bytes of answers before compression in the last second.
    pub compression_in_rate: u64,
    /// Bytes of answers after compression in the last second.
    pub compression_out_rate: u64,
    /// Listeners.
    pub listeners: u32,
    /// Sessions, listeners and checks: the work of the process.
    pub jobs: u32,
    /// Share of time in which the threads were idle, in percent.
    pub idle_percent: u32,
    /// Lines of the access log that were never written.
    pub dropped_logs: u64,
    /// Whether it only waits for its last connections to end.
    pub stopping: bool,
}

/// All frontends and backends, in the order of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The frontends.
    pub frontends: Vec<FrontendFigures>,
    /// The backends.
    pub backends: Vec<BackendFigures>,
}

/// Whether a frontend accepts connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum FrontendState {
    /// It accepts connections.
    #[default]
    Open,
    /// It was disabled, and can be enabled again.
    Paused,
    /// It was shut down, or the process is ending.
    Stopped,
}

/// A frontend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FrontendFigures {
    /// Its name.
    pub name: String,
    /// Its number among all frontends and backends (`iid`), from 2, as HAProxy counts.
    pub id: u32,
    /// Whether it accepts connections.
    pub state: FrontendState,
    /// The backend that serves it.
    pub backend: String,
    /// The addresses it listens on.
    pub listen: Vec<SocketAddr>,
    /// Sessions now.
    pub sessions: u32,
    /// The most sessions at the same time.
    pub sessions_max: u32,
    /// The limit of sessions.
    pub sessions_limit: u32,
    /// Sessions since the start.
    pub sessions_total: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Messages delayed by a limit (`dreq`).
    pub denied_messages: u64,
    /// Connections refused by a limit (`dcon`).
    pub denied_connections: u64,
    /// Connections accepted since the start, including refused ones.
    pub connections_total: u64,
    /// Connections accepted in the last second.
    pub connection_rate: u32,
    /// The highest connection rate.
    pub connection_rate_max: u32,
    /// Sessions begun in the last second.
    pub session_rate: u32,
    /// The highest session rate.
    pub session_rate_max: u32,
    /// Its HTTP traffic; `None` if it relays bytes.
    pub http: Option<HttpFigures>,
}

/// The HTTP traffic of a frontend, a backend or a server, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HttpFigures {
    /// Requests.
    pub requests: u64,
    /// Requests in the last second.
    pub request_rate: u32,
    /// The highest request rate.
    pub request_rate_max: u32,
    /// Requests that are not over.
    pub open_requests: u64,
    /// Final answers by status: 1xx, 2xx, 3xx, 4xx, 5xx, others.
    pub responses: [u64; 6],
    /// Requests that a rule denied (`dreq`).
    pub denied_requests: u64,
    /// Requests that the balancer answered by another rule (`intercepted`).
    pub intercepted_requests: u64,
    /// Requests that were not valid (`ereq`).
    pub invalid_requests: u64,
    /// Answers that were not valid or did not arrive (`eresp`).
    pub invalid_responses: u64,
    /// Connection attempts to servers.
    pub connects: u64,
    /// Requests on connections that were idle before.
    pub reuses: u64,
    /// Idle connections to servers now, of each thread.
    pub idle_connections: Vec<u32>,
    /// Compressed answers.
    pub compression: CompressionFigures,
}

/// Compressed answers, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompressionFigures {
    /// Bytes from servers that were compressed.
    pub bytes_in: u64,
    /// Bytes to clients after compression.
    pub bytes_out: u64,
    /// Bytes that were not compressed because of a limit.
    pub bytes_bypassed: u64,
    /// Compressed answers.
    pub responses: u64,
}

/// The traffic of a server or a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Clients in the queue now.
    pub queued: u32,
    /// The most clients in the queue.
    pub queued_max: u32,
    /// Sessions now.
    pub sessions: u32,
    /// The most sessions at the same time.
    pub sessions_max: u32,
    /// Sessions since the start: connections, or requests over HTTP.
    pub sessions_total: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Failed connections to a server (`econ`).
    pub connect_errors: u64,
    /// Sessions that a server aborted (`eresp`, `srv_abrt`).
    pub server_aborts: u64,
    /// Sessions that a client aborted (`cli_abrt`).
    pub client_aborts: u64,
    /// Connection attempts repeated on the same server (`wretr`).
    pub retries: u64,
    /// Connection attempts repeated on another server (`wredis`).
    pub redispatches: u64,
    /// How often the algorithm or stickiness chose it (`lbtot`).
    pub chosen: u64,
    /// Sessions begun in the last second.
    pub session_rate: u32,
    /// The highest session rate.
    pub session_rate_max: u32,
    /// Seconds since the last session began; `None` if there was none.
    pub last_session: Option<u64>,
    /// Mean time in the queue of the last 1,024 sessions, in ms.
    pub queue_time: u32,
    /// Mean time to connect of the last 1,024 sessions, in ms.
    pub connect_time: u32,
    /// Mean time to an answer of the last 1,024 requests over HTTP, in ms.
    pub response_time: u32,
    /// Mean duration of the last 1,024 sessions or requests, in ms.
    pub total_time: u32,
    /// The longest time in the queue, in ms.
    pub queue_time_max: u32,
    /// The longest time to connect, in ms.
    pub connect_time_max: u32,
    /// The longest time to an answer, in ms.
    pub response_time_max: u32,
    /// The longest session or request, in ms.
    pub total_time_max: u32,
    /// Its HTTP traffic; `None` if it relays bytes.
    pub http: Option<HttpFigures>,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendFigures {
    /// Its name.
    pub name: String,
    /// Its number among all frontends and backends (`iid`).
    pub id: u32,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The name of the cookie that names a client's server; `None` if there is none.
    pub cookie: Option<String>,
    /// Its traffic.
    pub traffic: Traffic,
    /// The limit of sessions; HAProxy's `fullconn`.
    pub sessions_limit: u32,
    /// Seconds since its state changed: it is up while a server is.
    pub last_change: u64,
    /// Seconds without any server that was up.
    pub downtime: u64,
    /// How often its last server went down.
    pub times_down: u64,
    /// Its servers.
    pub servers: Vec<ServerFigures>,
}

/// The health of a server, from its checks or from a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It is up.
    #[default]
    Up,
    /// It is down.
    Down,
}

/// The administrative state of a server. Several may be set at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags, as in HAProxy")]
pub struct AdminState {
    /// In maintenance.
    pub maint: bool,
    /// Drained: it keeps its connections and gets no new ones.
    pub drain: bool,
    /// The server that it tracks is in maintenance.
    pub inherited_maint: bool,
    /// The server that it tracks is drained.
    pub inherited_drain: bool,
}

impl AdminState {
    /// Whether it is in maintenance, by itself or because of the server that it tracks.
    #[must_use]
    pub const fn is_maint(self) -> bool {
        self.maint || self.inherited_maint
    }

    /// Whether it is drained, by itself or because of the server that it tracks.
    pub(super) const fn is_drained(self) -> bool {
        self.drain || self.inherited_drain
    }
}

/// The server that another one tracks: its health and its state count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackedFigures {
    /// Its name, `BACKEND/SERVER`.
    pub name: String,
    /// Its checks; `None` if it is not checked.
    pub check: Option<CheckFigures>,
}

/// The checks of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckFigures {
    /// Whether they are enabled.
    pub enabled: bool,
    /// HAProxy's word for the last result: `L7OK`, `L4CON`, `L7TOUT`..; empty before the first one,
    /// which is shown as `INI`.
    pub status: &'static str,
    /// The HTTP status of the last answer.
    pub code: Option<u16>,
    /// How long the last check took, in ms.
    pub duration: Option<u64>,
    /// Further details of the last check (`last_chk`); empty if it succeeded.
    pub detail: String,
    /// `check_health`, as HAProxy counts: 0 to rise - 1 is down, rise to rise + fall - 1 is up.
    pub health: u32,
    /// Successful checks until it is up.
    pub rise: u16,
    /// Failed checks until it is down.
    pub fall: u16,
    /// Failed checks while it was up (`chkfail`).
    pub failed: u64,
}

/// A server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFigures {
    /// Its name.
    pub name: String,
    /// Its number in its backend (`sid`).
    pub id: u32,
    /// Its address.
    pub address: Option<SocketAddr>,
    /// The value of its backend's cookie that names it.
    pub cookie: Option<String>,
    /// Its health.
    pub health: Health,
    /// Its administrative state.
    pub admin: AdminState,
    /// Its weight as configured.
    pub initial_weight: u16,
    /// Its weight as set.
    pub user_weight: u16,
    /// Its effective weight: lower during a slow start.
    pub weight: u16,
    /// The share of its weight during a slow start, in percent.
    pub throttle: Option<u8>,
    /// The limit of sessions; 0 means no limit.
    pub maxconn: u32,
    /// Its traffic.
    pub traffic: Traffic,
    /// Seconds since its state changed.
    pub last_change: u64,
    /// Seconds in which it was down.
    pub downtime: u64,
    /// How often it went down.
    pub times_down: u64,
    /// Its checks; `None` if it is not checked.
    pub check: Option<CheckFigures>,
    /// The server that it tracks.
    pub tracked: Option<TrackedFigures>,
    /// How often its answers with server errors have ejected it; `None` if they do not.
    pub ejections: Option<u64>,
    /// Its state as reported by the processes that these figures come from; `None` if it follows
    /// from the figures.
    pub reported_state: Option<String>,
}

/// A session: `show sess`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFigures {
    /// The id for `shutdown session`; printed in hexadecimal with `0x`.
    pub id: u64,
    /// The client's address.
    pub client: SocketAddr,
    /// The frontend.
    pub frontend: String,
    /// The backend; `None` between two requests over HTTP.
    pub backend: Option<String>,
    /// The server; `None` while it waits for one.
    pub server: Option<String>,
    /// The balancer's own address to the server, while there is a connection.
    pub source: Option<SocketAddr>,
    /// Its age.
    pub age: Duration,
    /// Time since the last byte in either direction.
    pub idle: Duration,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// Its requests; `None` if it relays bytes.
    pub http: Option<SessionRequests>,
}

/// The requests of a client's connection over HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionRequests {
    /// Requests so far.
    pub count: u64,
    /// The status of the last answer.
    pub status: Option<u16>,
}

/// A table: `show table`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFigures {
    /// The proxy that it belongs to.
    pub name: String,
    /// The limit of entries.
    pub size: u64,
    /// Entries now.
    pub used: u64,
}

/// An entry of a table: `show table NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// The address, as it is printed.
    pub key: String,
    /// How many sessions use it now.
    pub uses: u32,
    /// Time until it expires, in ms.
    pub expires: u64,
    /// Its data: HAProxy's names (`server_id`, `conn_cur`, `conn_rate(1000)`..) and values.
    pub data: Vec<(String, u64)>,
}

impl FrontendFigures {
    /// Messages or requests that were not passed on at once, or not at all (`dreq`).
    pub(super) fn denied_requests(&self) -> u64 {
        let http = self.http.as_ref();
        http.map_or(self.denied_messages, |http| http.denied_requests)
    }
}

impl Traffic {
    /// Answers that did not come as they should (`eresp`).
    pub(super) fn invalid_responses(&self) -> u64 {
        let http = self.http.as_ref();
        http.map_or(self.server_aborts, |http| http.invalid_responses)
    }

    /// Connection attempts (`connect`).
    pub(super) fn connects(&self) -> u64 {
        let http = self.http.as_ref();
        http.map_or(self.sessions_total + self.retries, |http| http.connects)
    }
}

impl HttpFigures {
    /// Idle connections to servers now.
    pub(super) fn all_idle_connections(&self) -> u32 {
        self.idle_connections.iter().sum()
    }
}
