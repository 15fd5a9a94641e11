//! Traffic: sessions, bytes, errors, and the state of the proxy or server.

use super::{Column, column, count, limit, name, status, text};
use crate::haproxy_api::server::metric::Kind::{Counter, Gauge};
use crate::haproxy_api::server::metric::Owner::{Backend, Frontend, Server};
use crate::haproxy_api::server::state;
use crate::haproxy_api::server::value::Value::{Absent, Text, U32, U64};

#[rustfmt::skip]
pub(super) static FLOW: &[Column] = &[
    column("pxname", "KNS", "Proxy name")
        .frontend(|it| name(&it.name))
        .server(|it| name(&it.backend.name))
        .backend(|it| name(&it.backend.name)),
    column("svname", "KNS", "Server name")
        .frontend(|_| text("FRONTEND"))
        .server(|it| name(&it.server.name))
        .backend(|_| text("BACKEND")),
    column("qcur", "MGP", "Number of current queued connections")
        .metric("current_queue", Gauge, &[Server, Backend])
        .server(|it| U32(it.server.traffic.queued))
        .backend(|it| U32(it.backend.traffic.queued)),
    column("qmax", "MMP", "Highest value of queued connections encountered since process started")
        .metric("max_queue", Gauge, &[Server, Backend])
        .server(|it| U32(it.server.traffic.queued_max))
        .backend(|it| U32(it.backend.traffic.queued_max)),
    column("scur", "MGP", "Number of current sessions on the frontend, backend or server")
        .metric("current_sessions", Gauge, &[Frontend, Server, Backend])
        .frontend(|it| U32(it.sessions))
        .server(|it| U32(it.server.traffic.sessions))
        .backend(|it| U32(it.backend.traffic.sessions)),
    column("smax", "MMP", "Highest value of current sessions encountered since process started")
        .metric("max_sessions", Gauge, &[Frontend, Server, Backend])
        .frontend(|it| U32(it.sessions_max))
        .server(|it| U32(it.server.traffic.sessions_max))
        .backend(|it| U32(it.backend.traffic.sessions_max)),
    column("slim", "CLP", "Frontend/listener/server's maxconn, backend's fullconn")
        .metric("limit_sessions", Gauge, &[Frontend, Server, Backend])
        .frontend(|it| U32(it.sessions_limit))
        .server(|it| limit(it.server.maxconn))
        .backend(|it| U32(it.backend.sessions_limit)),
    column("stot", "MCP", "Total number of sessions since process started")
        .metric("sessions_total", Counter, &[Frontend, Server, Backend])
        .frontend(|it| U64(it.sessions_total))
        .server(|it| U64(it.server.traffic.sessions_total))
        .backend(|it| U64(it.backend.traffic.sessions_total)),
    column("bin", "MCP", "Total number of request bytes since process started")
        .metric("bytes_in_total", Counter, &[Frontend, Server, Backend])
        .frontend(|it| U64(it.bytes_in))
        .server(|it| U64(it.server.traffic.bytes_in))
        .backend(|it| U64(it.backend.traffic.bytes_in)),
    column("bout", "MCP", "Total number of response bytes since process started")
        .metric("bytes_out_total", Counter, &[Frontend, Server, Backend])
        .frontend(|it| U64(it.bytes_out))
        .server(|it| U64(it.server.traffic.bytes_out))
        .backend(|it| U64(it.backend.traffic.bytes_out)),
    column("dreq", "MCP", "Total number of denied requests since process started")
        .metric("requests_denied_total", Counter, &[Frontend, Backend])
        .frontend(|it| U64(it.denied_requests()))
        .backend(|it| U64(it.backend.traffic.http.as_ref().map_or(0, |http| http.denied_requests))),
    column("dresp", "MCP", "Total number of denied responses since process started")
        .metric("responses_denied_total", Counter, &[Frontend, Server, Backend])
        .frontend(|_| U64(0))
        .server(|_| U64(0))
        .backend(|_| U64(0)),
    column("ereq", "MCP", "Total number of invalid requests since process started")
        .metric("request_errors_total", Counter, &[Frontend])
        .frontend(|it| U64(it.http.as_ref().map_or(0, |http| http.invalid_requests))),
    column("econ", "MCP", "Total number of failed connections to server since the worker process started")
        .metric("connection_errors_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.connect_errors))
        .backend(|it| U64(it.backend.traffic.connect_errors)),
    column("eresp", "MCP", "Total number of invalid responses since the worker process started")
        .metric("response_errors_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.invalid_responses()))
        .backend(|it| U64(it.backend.traffic.invalid_responses())),
    column("wretr", "MCP", "Total number of server connection retries since the worker process started")
        .metric("retry_warnings_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.retries))
        .backend(|it| U64(it.backend.traffic.retries)),
    column("wredis", "MCP", "Total number of server redispatches due to connection failures since the worker process started")
        .metric("redispatch_warnings_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.redispatches))
        .backend(|it| U64(it.backend.traffic.redispatches)),
    column("status", "SGP", "Frontend/listen status: OPEN/WAITING/FULL/STOP; backend: UP/DOWN; server: last check status")
        .metric("status", Gauge, &[Frontend, Server, Backend])
        .helped("Current status of the service, per state label value.")
        .frontend(|it| text(state::frontend_word(it.state)))
        .server(|it| Text(state::word(it.server).into()))
        .backend(status),
    column("weight", "MaP", "Server's effective weight, or sum of active servers' effective weights for a backend")
        .metric("weight", Gauge, &[Server, Backend])
        .server(|it| U32(it.server.weight.into()))
        .backend(|it| U32(state::weight(it.backend))),
    column("act", "SGP", "Total number of active UP servers with a non-zero weight")
        .metric("active_servers", Gauge, &[Backend])
        .server(|_| U32(1))
        .backend_as("MGP", |it| U32(state::usable(it.backend))),
    column("bck", "SGP", "Total number of backup UP servers with a non-zero weight")
        .metric("backup_servers", Gauge, &[Backend])
        .server(|_| U32(0))
        .backend_as("MGP", |_| U32(0)),
    column("chkfail", "MCP", "Total number of failed individual health checks per server/backend, since the worker process started")
        .metric("check_failures_total", Counter, &[Server])
        .server(|it| it.checked(|check| U64(check.failed))),
    column("chkdown", "MCP", "Total number of failed checks causing UP to DOWN server transitions, per server/backend, since the worker process started")
        .metric("check_up_down_total", Counter, &[Server, Backend])
        .server(|it| it.checked(|_| U64(it.server.times_down)))
        .backend(|it| U64(it.backend.times_down)),
    column("lastchg", "MAP", "How long ago the last server state changed, in seconds")
        .metric("check_last_change_seconds", Gauge, &[Server, Backend])
        .server(|it| count(it.server.last_change))
        .backend(|it| count(it.backend.last_change)),
    column("downtime", "MCP", "Total time spent in DOWN state, for server or backend")
        .metric("downtime_seconds_total", Counter, &[Server, Backend])
        .server(|it| it.checked(|_| count(it.server.downtime)))
        .backend(|it| count(it.backend.downtime)),
    column("qlimit", "MGP", "Limit on the number of connections in queue, for servers only (maxqueue argument)")
        .metric("queue_limit", Gauge, &[Server]),
    column("pid", "KGP", "Relative worker process number (1)")
        .frontend(|_| U32(1))
        .server(|_| U32(1))
        .backend(|_| U32(1)),
    column("iid", "KGS", "Frontend or Backend numeric identifier ('id' setting)")
        .frontend(|it| U32(it.id))
        .server(|it| U32(it.backend.id))
        .backend(|it| U32(it.backend.id)),
    column("sid", "KGS", "Server numeric identifier ('id' setting)")
        .frontend(|_| U32(0))
        .server(|it| U32(it.server.id))
        .backend(|_| U32(0)),
    column("throttle", "MGP", "Throttling ratio applied to a server's maxconn and weight during the slowstart period (0 to 100%)")
        .metric("current_throttle", Gauge, &[Server])
        .server(|it| it.server.throttle.map_or(Absent, |share| U32(share.into()))),
    column("lbtot", "MCP", "Total number of requests routed by load balancing since the worker process started (ignores queue pop and stickiness)")
        .metric("loadbalanced_total", Counter, &[Server, Backend])
        .server(|it| U64(it.server.traffic.chosen))
        .backend(|it| U64(it.backend.traffic.chosen)),
    column("tracked", "CNS", "Name of the other server this server tracks for its state")
        .server(|it| it.server.tracked.as_ref().map_or(Absent, |tracked| name(&tracked.name))),
    column("type", "CGS", "Type of the object (Listener, Frontend, Backend, Server)")
        .frontend(|_| U32(0))
        .server(|_| U32(2))
        .backend(|_| U32(1)),
    column("rate", "MRP", "Total number of sessions processed by this object over the last second (sessions for listeners/frontends, requests for backends/servers)")
        .frontend(|it| U32(it.session_rate))
        .server(|it| U32(it.server.traffic.session_rate))
        .backend_as("MGP", |it| U32(it.backend.traffic.session_rate)),
    column("rate_lim", "CLP", "Limit on the number of sessions accepted in a second (frontend only, 'rate-limit sessions' setting)")
        .metric("limit_session_rate", Gauge, &[Frontend])
        .frontend(|_| U32(0)),
    column("rate_max", "MMP", "Highest value of sessions per second observed since the worker process started")
        .metric("max_session_rate", Gauge, &[Frontend, Server, Backend])
        .frontend(|it| U32(it.session_rate_max))
        .server(|it| U32(it.server.traffic.session_rate_max))
        .backend_as("MGP", |it| U32(it.backend.traffic.session_rate_max)),
];
