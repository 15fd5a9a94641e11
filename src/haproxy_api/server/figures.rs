//! What a data plane knows about itself, as numbers. How they are told is the dialect's affair.

use std::net::SocketAddr;
use std::time::Duration;

use crate::profile::Algorithm;

/// The process: `show info`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Client connections at most.
    pub maxconn: u32,
    /// The same as it was configured.
    pub hard_maxconn: u32,
    /// Client connections now.
    pub connections: u32,
    /// Client connections ever.
    pub connections_total: u64,
    /// New client connections in the last second.
    pub connection_rate: u32,
    /// The most that this was.
    pub connection_rate_max: u32,
    /// Sessions begun in the last second: connections that no limit refused.
    pub session_rate: u32,
    /// The most that this was.
    pub session_rate_max: u32,
    /// Bytes sent to clients and servers, ever.
    pub bytes_out: u64,
    /// Bytes sent in the last second.
    pub bytes_out_rate: u64,
    /// Listeners.
    pub listeners: u32,
    /// Sessions, listeners and checks: what keeps the process busy.
    pub jobs: u32,
    /// Share of time in which the threads had nothing to do, in percent.
    pub idle_percent: u32,
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

/// Whether a frontend accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrontendState {
    /// It does.
    #[default]
    Open,
    /// It was disabled, and may be enabled again.
    Paused,
    /// It was shut down, or the process ends.
    Stopped,
}

/// A frontend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontendFigures {
    /// Its name.
    pub name: String,
    /// Its number among all frontends and backends (`iid`), from 2, as HAProxy counts.
    pub id: u32,
    /// Whether it accepts.
    pub state: FrontendState,
    /// The backend that serves it.
    pub backend: String,
    /// The addresses it listens on.
    pub listen: Vec<SocketAddr>,
    /// Sessions now.
    pub sessions: u32,
    /// The most that were at the same time.
    pub sessions_max: u32,
    /// Sessions at most.
    pub sessions_limit: u32,
    /// Sessions ever.
    pub sessions_total: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Messages held back by a limit (`dreq`).
    pub denied_messages: u64,
    /// Connections refused by a limit (`dcon`).
    pub denied_connections: u64,
    /// Connections accepted ever, those refused included.
    pub connections_total: u64,
    /// Connections accepted in the last second.
    pub connection_rate: u32,
    /// The most that this was.
    pub connection_rate_max: u32,
    /// Sessions begun in the last second.
    pub session_rate: u32,
    /// The most that this was.
    pub session_rate_max: u32,
}

/// What clients met while they went through a server or a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Clients waiting for a place now.
    pub queued: u32,
    /// The most that were at the same time.
    pub queued_max: u32,
    /// Sessions now.
    pub sessions: u32,
    /// The most that were at the same time.
    pub sessions_max: u32,
    /// Sessions ever.
    pub sessions_total: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Connections to a server that failed (`econ`).
    pub connect_errors: u64,
    /// Sessions that a server broke (`eresp`, `srv_abrt`).
    pub server_aborts: u64,
    /// Sessions that a client broke (`cli_abrt`).
    pub client_aborts: u64,
    /// Connects tried again on the same server (`wretr`).
    pub retries: u64,
    /// Connects tried again on another server (`wredis`).
    pub redispatches: u64,
    /// Times that the algorithm or stickiness chose it (`lbtot`).
    pub chosen: u64,
    /// Sessions begun in the last second.
    pub session_rate: u32,
    /// The most that this was.
    pub session_rate_max: u32,
    /// Seconds since the last session began; none when there was none.
    pub last_session: Option<u64>,
    /// Mean time in the queue of the last 1,024 sessions, in ms.
    pub queue_time: u32,
    /// Mean time to connect of the same, in ms.
    pub connect_time: u32,
    /// Mean duration of the same, in ms.
    pub total_time: u32,
    /// The longest time in the queue, in ms.
    pub queue_time_max: u32,
    /// The longest time to connect, in ms.
    pub connect_time_max: u32,
    /// The longest session, in ms.
    pub total_time_max: u32,
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
    /// What went through it.
    pub traffic: Traffic,
    /// Sessions at most; HAProxy's `fullconn`.
    pub sessions_limit: u32,
    /// Seconds since it began or ceased to have a server that is up.
    pub last_change: u64,
    /// Seconds without any server that was up.
    pub downtime: u64,
    /// Times that its last server went down.
    pub times_down: u64,
    /// Its servers.
    pub servers: Vec<ServerFigures>,
}

/// What a server's checks, and whoever told its health, say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It serves.
    #[default]
    Up,
    /// It does not.
    Down,
}

/// What an administrator wants of a server. Both may be set at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdminState {
    /// In maintenance.
    pub maint: bool,
    /// Drained: it keeps what it has and is given nothing.
    pub drain: bool,
}

/// The checks of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckFigures {
    /// Whether they are carried out.
    pub enabled: bool,
    /// HAProxy's word for the last result: `L7OK`, `L4CON`, `L7TOUT`..; empty before the first one,
    /// `INI` is then shown.
    pub status: &'static str,
    /// The HTTP status of the last answer.
    pub code: Option<u16>,
    /// How long the last one took, in ms.
    pub duration: Option<u64>,
    /// What the last one said besides (`last_chk`); empty when it was good.
    pub said: String,
    /// `check_health`, as HAProxy counts: 0 to rise - 1 is down, rise to rise + fall - 1 is up.
    pub health: u32,
    /// Good ones until it is up.
    pub rise: u16,
    /// Bad ones until it is down.
    pub fall: u16,
    /// Bad ones while it was up (`chkfail`).
    pub failed: u64,
}

/// A server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFigures {
    /// Its name.
    pub name: String,
    /// Its number in its backend (`sid`).
    pub id: u32,
    /// Where it is.
    pub address: Option<SocketAddr>,
    /// What its checks say.
    pub health: Health,
    /// What is wanted of it.
    pub admin: AdminState,
    /// Its weight as configured.
    pub initial_weight: u16,
    /// Its weight as set.
    pub user_weight: u16,
    /// Its weight as it counts now: less while it starts slowly.
    pub weight: u16,
    /// The share of its weight that it has while it starts slowly, in percent.
    pub throttle: Option<u8>,
    /// Sessions at the same time at most; 0 is no limit.
    pub maxconn: u32,
    /// What went through it.
    pub traffic: Traffic,
    /// Seconds since its state changed.
    pub last_change: u64,
    /// Seconds that it was down.
    pub downtime: u64,
    /// Times that it went down.
    pub times_down: u64,
    /// Its checks; none when it is not checked.
    pub check: Option<CheckFigures>,
    /// Its state in the words of the processes that these figures are of; none where it follows
    /// from the figures.
    pub reported_state: Option<String>,
}

/// A session: `show sess`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFigures {
    /// What `shutdown session` takes; printed in hexadecimal with `0x`.
    pub id: u64,
    /// Where the client is.
    pub client: SocketAddr,
    /// The frontend.
    pub frontend: String,
    /// The backend.
    pub backend: String,
    /// The server; none while it waits for one.
    pub server: Option<String>,
    /// Our address on the way to the server, while there is a connection.
    pub source: Option<SocketAddr>,
    /// Its age.
    pub age: Duration,
    /// Time since anything moved.
    pub idle: Duration,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
}

/// A table: `show table`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFigures {
    /// The proxy whose it is.
    pub name: String,
    /// Entries at most.
    pub size: u64,
    /// Entries now.
    pub used: u64,
}

/// An entry of a table: `show table NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// The address, as it is printed.
    pub key: String,
    /// How many use it just now.
    pub uses: u32,
    /// Time until it is forgotten, in ms.
    pub expires: u64,
    /// What it keeps: HAProxy's names (`server_id`, `conn_cur`, `conn_rate(1000)`..) and values.
    pub data: Vec<(String, u64)>,
}
