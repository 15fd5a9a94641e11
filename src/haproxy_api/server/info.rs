//! `show info`: every figure of the process, described once for all outputs.

use super::figures::ProcessFigures;
use super::metric::Kind::{Counter, Gauge};
use super::metric::{Kind, Metric};
use super::value::Field;
use super::value::Value::{self, Absent, Text, U32, U64};

/// The HAProxy version whose API this is, so that programs which compare versions or read the first
/// two numbers know what to expect; the version of clusterctl follows.
pub(super) const VERSION: &str = concat!("2.6.12-clusterctl", env!("CARGO_PKG_VERSION"));
/// In HAProxy's format.
const RELEASE_DATE: &str = "2026/11/25";

/// A figure of the process, and how it is computed.
pub(super) struct Figure {
    position: usize,
    name: &'static str,
    tag: &'static str,
    pub(super) help: &'static str,
    get: fn(&ProcessFigures) -> Value,
    pub(super) metric: Option<Metric>,
}

impl Figure {
    pub(super) fn value(&self, process: &ProcessFigures) -> Value {
        (self.get)(process)
    }

    const fn metric(mut self, name: &'static str, kind: Kind) -> Figure {
        self.metric = Some(Metric {
            name,
            kind,
            of: &[],
            help: None,
            code: None,
            http_only: false,
        });
        self
    }
}

/// All figures of the process.
pub(super) fn fields(process: &ProcessFigures) -> Vec<Field> {
    let fields = FIGURES.iter().map(|figure| Field {
        position: figure.position,
        name: figure.name,
        tag: figure.tag,
        help: figure.help,
        value: figure.value(process),
    });
    fields.filter(|field| !field.value.is_absent()).collect()
}

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    field(0, "Name", "POS", "Product name", |_| Text("HAProxy".into())),
    field(1, "Version", "POS", "Product version", |_| Text(VERSION.into())),
    field(2, "Release_date", "POS", "Date of latest source code update", |_| Text(RELEASE_DATE.into())),
    field(3, "Nbthread", "CGS", "Number of started threads (global.nbthread)", |it| U32(it.threads)).metric("nbthread", Gauge),
    field(4, "Nbproc", "CGS", "Number of started worker processes (historical, always 1)", |_| U32(1)).metric("nbproc", Gauge),
    field(5, "Process_num", "KGP", "Relative worker process number (1)", |_| U32(1)).metric("relative_process_id", Gauge),
    field(6, "Pid", "SGP", "This worker process identifier for the system", |it| U32(it.pid)),
    field(7, "Uptime", "MDP", "How long ago this worker process was started (days+hours+minutes+seconds)", |it| Text(uptime(it).into())),
    field(8, "Uptime_sec", "MDP", "How long ago this worker process was started (seconds)", |it| count(it.uptime.as_secs())).metric("uptime_seconds", Gauge),
    field(9, "Memmax_MB", "CLP", "Worker process's hard limit on memory usage in MB (-m on command line)", zero32),
    field(10, "PoolAlloc_MB", "MGP", "Amount of memory allocated in pools (in MB)", zero32),
    field(11, "PoolUsed_MB", "MGP", "Amount of pool memory currently used (in MB)", zero32),
    field(12, "PoolFailed", "MCP", "Number of failed pool allocations since this worker was started", zero32).metric("pool_failures_total", Counter),
    field(13, "Ulimit-n", "CLP", "Hard limit on the number of per-process file descriptors", |it| count(it.nofile)).metric("max_fds", Gauge),
    field(14, "Maxsock", "CLP", "Hard limit on the number of per-process sockets", |it| count(it.nofile)).metric("max_sockets", Gauge),
    field(15, "Maxconn", "CLP", "Hard limit on the number of per-process connections (configured or imposed by Ulimit-n)", |it| U32(it.maxconn)).metric("max_connections", Gauge),
    field(16, "Hard_maxconn", "CLP", "Hard limit on the number of per-process connections (imposed by Memmax_MB or Ulimit-n)", |it| U32(it.hard_maxconn)).metric("hard_max_connections", Gauge),
    field(17, "CurrConns", "MGP", "Current number of connections on this worker process", |it| U32(it.connections)).metric("current_connections", Gauge),
    field(18, "CumConns", "MCP", "Total number of connections on this worker process since started", |it| count(it.connections_total)).metric("connections_total", Counter),
    field(19, "CumReq", "MCP", "Total number of requests on this worker process since started", |it| count(it.requests_total)).metric("requests_total", Counter),
    field(20, "MaxSslConns", "MMP", "Hard limit on the number of per-process SSL endpoints (front+back), 0=unlimited", zero32).metric("max_ssl_connections", Gauge),
    field(21, "CurrSslConns", "MGP", "Current number of SSL endpoints on this worker process (front+back)", zero32).metric("current_ssl_connections", Gauge),
    field(22, "CumSslConns", "MCP", "Total number of SSL endpoints on this worker process since started (front+back)", zero32).metric("ssl_connections_total", Counter),
    field(23, "Maxpipes", "CLP", "Hard limit on the number of pipes for splicing, 0=unlimited", zero32).metric("max_pipes", Gauge),
    field(24, "PipesUsed", "MGP", "Current number of pipes in use in this worker process", zero32).metric("pipes_used_total", Counter),
    field(25, "PipesFree", "MGP", "Current number of allocated and available pipes in this worker process", zero32).metric("pipes_free_total", Counter),
    field(26, "ConnRate", "MRP", "Number of front connections created on this worker process over the last second", |it| U32(it.connection_rate)).metric("current_connection_rate", Gauge),
    field(27, "ConnRateLimit", "CLP", "Hard limit for ConnRate (global.maxconnrate)", zero32).metric("limit_connection_rate", Gauge),
    field(28, "MaxConnRate", "MMP", "Highest ConnRate reached on this worker process since started (in connections per second)", |it| U32(it.connection_rate_max)).metric("max_connection_rate", Gauge),
    field(29, "SessRate", "MRP", "Number of sessions created on this worker process over the last second", |it| U32(it.session_rate)).metric("current_session_rate", Gauge),
    field(30, "SessRateLimit", "CLP", "Hard limit for SessRate (global.maxsessrate)", zero32).metric("limit_session_rate", Gauge),
    field(31, "MaxSessRate", "MRP", "Highest SessRate reached on this worker process since started (in sessions per second)", |it| U32(it.session_rate_max)).metric("max_session_rate", Gauge),
    field(32, "SslRate", "MRP", "Number of SSL connections created on this worker process over the last second", zero32).metric("current_ssl_rate", Gauge),
    field(33, "SslRateLimit", "CLP", "Hard limit for SslRate (global.maxsslrate)", zero32).metric("limit_ssl_rate", Gauge),
    field(34, "MaxSslRate", "MMP", "Highest SslRate reached on this worker process since started (in connections per second)", zero32).metric("max_ssl_rate", Gauge),
    field(35, "SslFrontendKeyRate", "MGP", "Number of SSL keys created on frontends in this worker process over the last second", zero32).metric("current_frontend_ssl_key_rate", Gauge),
    field(36, "SslFrontendMaxKeyRate", "MMP", "Highest SslFrontendKeyRate reached on this worker process since started (in SSL keys per second)", zero32).metric("max_frontend_ssl_key_rate", Gauge),
    field(37, "SslFrontendSessionReuse_pct", "MGP", "Percent of frontend SSL connections which did not require a new key", zero32).metric("frontend_ssl_reuse", Gauge),
    field(38, "SslBackendKeyRate", "MRP", "Number of SSL keys created on backends in this worker process over the last second", zero32).metric("current_backend_ssl_key_rate", Gauge),
    field(39, "SslBackendMaxKeyRate", "MMP", "Highest SslBackendKeyRate reached on this worker process since started (in SSL keys per second)", zero32).metric("max_backend_ssl_key_rate", Gauge),
    field(40, "SslCacheLookups", "MCP", "Total number of SSL session ID lookups in the SSL session cache on this worker since started", zero32).metric("ssl_cache_lookups_total", Counter),
    field(41, "SslCacheMisses", "MCP", "Total number of SSL session ID lookups that didn't find a session in the SSL session cache on this worker since started", zero32).metric("ssl_cache_misses_total", Counter),
    field(42, "CompressBpsIn", "MRP", "Number of bytes submitted to the HTTP compressor in this worker process over the last second", |it| count(it.compression_in_rate)).metric("http_comp_bytes_in_total", Counter),
    field(43, "CompressBpsOut", "MRP", "Number of bytes emitted by the HTTP compressor in this worker process over the last second", |it| count(it.compression_out_rate)).metric("http_comp_bytes_out_total", Counter),
    field(44, "CompressBpsRateLim", "CLP", "Limit of CompressBpsOut beyond which HTTP compression is automatically disabled", zero32).metric("limit_http_comp", Gauge),
    field(45, "ZlibMemUsage", "MGP", "Amount of memory currently used by HTTP compression on the current worker process (in bytes)", |_| Absent).metric("current_zlib_memory", Gauge),
    field(46, "MaxZlibMemUsage", "CLP", "Limit on the amount of memory used by HTTP compression above which it is automatically disabled (in bytes, see global.maxzlibmem)", |_| Absent).metric("max_zlib_memory", Gauge),
    field(47, "Tasks", "MGP", "Total number of tasks in the current worker process (active + sleeping)", |it| U32(it.jobs)).metric("current_tasks", Gauge),
    field(48, "Run_queue", "MGP", "Total number of active tasks+tasklets in the current worker process", zero32).metric("current_run_queue", Gauge),
    field(49, "Idle_pct", "MaP", "Percentage of last second spent waiting in the current worker thread", |it| U32(it.idle_percent)).metric("idle_time_percent", Gauge),
    field(50, "node", "COS", "Node name (global.node)", |it| Text(it.node.clone().into())),
    field(52, "Stopping", "MGP", "1 if the worker process is currently stopping, otherwise zero", |it| U32(u32::from(it.stopping))).metric("stopping", Gauge),
    field(53, "Jobs", "MGP", "Current number of active jobs on the current worker process (frontend connections, master connections, listeners)", |it| U32(it.jobs)).metric("jobs", Gauge),
    field(54, "Unstoppable Jobs", "MGP", "Current number of unstoppable jobs on the current worker process (master connections)", zero32).metric("unstoppable_jobs", Gauge),
    field(55, "Listeners", "MGP", "Current number of active listeners on the current worker process", |it| U32(it.listeners)).metric("listeners", Gauge),
    field(56, "ActivePeers", "MGP", "Current number of verified active peers connections on the current worker process", zero32).metric("active_peers", Gauge),
    field(57, "ConnectedPeers", "MGP", "Current number of peers having passed the connection step on the current worker process", zero32).metric("connected_peers", Gauge),
    field(58, "DroppedLogs", "MGP", "Total number of dropped logs for current worker process since started", |it| count(it.dropped_logs)).metric("dropped_logs_total", Counter),
    field(59, "BusyPolling", "MGP", "1 if busy-polling is currently in use on the worker process, otherwise zero (config.busy-polling)", zero32).metric("busy_polling_enabled", Gauge),
    field(60, "FailedResolutions", "MGP", "Total number of failed DNS resolutions in current worker process since started", zero32).metric("failed_resolutions", Counter),
    field(61, "TotalBytesOut", "MGP", "Total number of bytes emitted by current worker process since started", |it| U64(it.bytes_out)).metric("bytes_out_total", Counter),
    field(62, "TotalSplicdedBytesOut", "MGP", "Total number of bytes emitted by current worker process through a kernel pipe since started", zero64).metric("spliced_bytes_out_total", Counter),
    field(63, "BytesOutRate", "MRP", "Number of bytes emitted by current worker process over the last second", |it| U64(it.bytes_out_rate)).metric("bytes_out_rate", Gauge),
    field(64, "DebugCommandsIssued", "MGP", "Number of debug commands issued on this process (anything > 0 is unsafe)", zero32),
    field(65, "CumRecvLogs", "MCP", "Total number of log messages received by log-forwarding listeners on this worker process since started", zero32).metric("recv_logs_total", Counter),
    field(66, "Build info", "POS", "Build info", |_| Text(VERSION.into())).metric("build_info", Gauge),
    field(67, "Memmax_bytes", "CLP", "Worker process's hard limit on memory usage in byes (-m on command line)", zero32).metric("max_memory_bytes", Gauge),
    field(68, "PoolAlloc_bytes", "MGP", "Amount of memory allocated in pools (in bytes)", zero64).metric("pool_allocated_bytes", Gauge),
    field(69, "PoolUsed_bytes", "MGP", "Amount of pool memory currently used (in bytes)", zero64).metric("pool_used_bytes", Gauge),
    field(70, "Start_time_sec", "MDP", "Start time in seconds", |it| count(it.start_time)).metric("start_time_seconds", Gauge),
    field(71, "Tainted", "SGP", "Experimental features used", |_| Text("0".into())),
];

// Private

const fn field(
    position: usize,
    name: &'static str,
    tag: &'static str,
    help: &'static str,
    get: fn(&ProcessFigures) -> Value,
) -> Figure {
    Figure {
        position,
        name,
        tag,
        help,
        get,
        metric: None,
    }
}

fn count(number: u64) -> Value {
    Value::count(number)
}

/// A feature that HAProxy has and this data plane does not: TLS, pipes, pools, peers.
fn zero32(_: &ProcessFigures) -> Value {
    U32(0)
}

fn zero64(_: &ProcessFigures) -> Value {
    U64(0)
}

fn uptime(process: &ProcessFigures) -> String {
    let age = process.uptime.as_secs();
    let (days, hours, minutes, seconds) = (age / 86_400, age / 3_600 % 24, age / 60 % 60, age % 60);
    format!("{days}d {hours}h{minutes:02}m{seconds:02}s")
}
