//! The sums of several processes of a balancer, with the same pages as a single data plane.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::figures::{
    AdminState, BackendFigures, CheckFigures, CompressionFigures, FrontendFigures, FrontendState, Health,
    HttpFigures, ProcessFigures, Proxies, ServerFigures, SessionFigures, TableEntry, TableFigures,
    TrackedFigures, Traffic,
};
use super::state;
use super::subject::{Order, Refusal, Subject};
use crate::haproxy_api::{Info, Row};
use crate::profile::Algorithm;

/// Several processes at one moment.
#[derive(Clone, Debug)]
pub struct Totals {
    process: ProcessFigures,
    proxies: Proxies,
}

impl Totals {
    /// The sums of the processes with these `infos`, whose [merged](Row::merged) rows are `rows`.
    /// `name` is the name of the cluster.
    #[must_use]
    pub fn new(name: &str, infos: &[Info], rows: &[Row]) -> Totals {
        let mut proxies = Proxies::default();
        for row in rows {
            match row.text("type") {
                "0" => proxies.frontends.push(frontend(row)),
                "1" => {
                    let servers = rows
                        .iter()
                        .filter(|it| it.is_server() && it.proxy() == row.proxy());
                    proxies.backends.push(backend(row, servers.map(server).collect()));
                }
                _ => {}
            }
        }
        Totals {
            process: process(name, infos, &proxies),
            proxies,
        }
    }
}

impl Subject for Totals {
    fn process(&self) -> ProcessFigures {
        self.process.clone()
    }

    fn proxies(&self) -> Proxies {
        self.proxies.clone()
    }

    /// Each process has its own tables.
    fn tables(&self) -> Vec<TableFigures> {
        Vec::new()
    }

    fn entries(&self, _table: &str) -> Option<Vec<TableEntry>> {
        None
    }

    fn sessions(self: Arc<Self>) -> BoxFuture<'static, Vec<SessionFigures>> {
        async { Vec::new() }.boxed()
    }

    fn order(self: Arc<Self>, _order: Order) -> BoxFuture<'static, Result<(), Refusal>> {
        async {
            Err(Refusal(
                "Send the command to each process separately.\n".to_owned(),
            ))
        }
        .boxed()
    }
}

// Private

fn process(name: &str, infos: &[Info], proxies: &Proxies) -> ProcessFigures {
    let sum = |figure: fn(&Info) -> u64| infos.iter().map(figure).fold(0, u64::saturating_add);
    let frontends = &proxies.frontends;
    ProcessFigures {
        node: name.to_owned(),
        pid: infos.first().map_or(0, |info| info.pid),
        uptime: infos.iter().map(|info| info.uptime).max().unwrap_or_default(),
        threads: narrow(infos.len() as u64),
        nofile: sum(|info| info.nofile),
        maxconn: narrow(sum(|info| info.maxconn)),
        hard_maxconn: narrow(sum(|info| info.maxconn)),
        connections: narrow(sum(|info| info.curr_conns)),
        connections_total: sum(|info| info.cum_conns),
        requests_total: requests(sum(|info| info.cum_conns), frontends),
        connection_rate: narrow(sum(|info| info.conn_rate)),
        session_rate: frontends.iter().map(|it| it.session_rate).sum(),
        bytes_out: frontends.iter().map(|it| it.bytes_out).sum(),
        stopping: !infos.is_empty() && infos.iter().all(|info| info.stopping),
        ..ProcessFigures::default()
    }
}

/// All requests, of which each connection over TCP is one.
fn requests(connections: u64, frontends: &[FrontendFigures]) -> u64 {
    let http =
        |frontend: &FrontendFigures| Some((frontend.http.as_ref()?.requests, frontend.connections_total));
    let over_http = frontends.iter().filter_map(http);
    over_http.fold(connections, |all, (requests, connections)| {
        all.saturating_sub(connections).saturating_add(requests)
    })
}

fn frontend(row: &Row) -> FrontendFigures {
    FrontendFigures {
        name: row.proxy().to_owned(),
        id: small(row, "iid"),
        state: match row.state() {
            "STOP" => FrontendState::Stopped,
            "PAUSED" => FrontendState::Paused,
            _ => FrontendState::Open,
        },
        backend: String::new(),
        listen: Vec::new(),
        sessions: small(row, "scur"),
        sessions_max: small(row, "smax"),
        sessions_limit: small(row, "slim"),
        sessions_total: large(row, "stot"),
        bytes_in: large(row, "bin"),
        bytes_out: large(row, "bout"),
        denied_messages: large(row, "dreq"),
        denied_connections: large(row, "dcon"),
        connections_total: large(row, "conn_tot"),
        connection_rate: small(row, "conn_rate"),
        connection_rate_max: small(row, "conn_rate_max"),
        session_rate: small(row, "rate"),
        session_rate_max: small(row, "rate_max"),
        http: http(row),
    }
}

fn backend(row: &Row, servers: Vec<ServerFigures>) -> BackendFigures {
    let algorithm = Algorithm::ALL
        .into_iter()
        .find(|it| it.name() == row.text("algo"));
    BackendFigures {
        name: row.proxy().to_owned(),
        id: small(row, "iid"),
        algorithm: algorithm.unwrap_or(Algorithm::Roundrobin),
        cookie: cookie(row),
        traffic: traffic(row),
        sessions_limit: small(row, "slim"),
        last_change: large(row, "lastchg"),
        downtime: large(row, "downtime"),
        times_down: large(row, "chkdown"),
        servers,
    }
}

fn server(row: &Row) -> ServerFigures {
    let weight = |column| u16::try_from(large(row, column)).unwrap_or(u16::MAX);
    ServerFigures {
        name: row.name().to_owned(),
        id: small(row, "sid"),
        address: row.text("addr").parse().ok(),
        cookie: cookie(row),
        health: match row.state() {
            "DOWN" => Health::Down,
            _ => Health::Up,
        },
        admin: AdminState {
            maint: row.state() == "MAINT",
            drain: row.state() == "DRAIN",
            ..AdminState::default()
        },
        initial_weight: weight("uweight"),
        user_weight: weight("uweight"),
        weight: weight("weight"),
        throttle: row.number("throttle").and_then(|share| u8::try_from(share).ok()),
        maxconn: small(row, "slim"),
        traffic: traffic(row),
        last_change: large(row, "lastchg"),
        downtime: large(row, "downtime"),
        times_down: large(row, "chkdown"),
        check: (!row.text("check_status").is_empty()).then(|| check(row)),
        tracked: (!row.text("tracked").is_empty()).then(|| TrackedFigures {
            name: row.text("tracked").to_owned(),
            check: None,
        }),
        ejections: row.number("hanafail"),
        // A server that tracks another one is UP without checks of its own; and several processes
        // may report different states.
        reported_state: Some(row.text("status").to_owned()),
    }
}

fn check(row: &Row) -> CheckFigures {
    // A `*` marks a check in progress.
    let status = row.text("check_status").trim_start_matches("* ");
    CheckFigures {
        enabled: true,
        status: state::check_words()
            .find(|word| *word == status)
            .unwrap_or_default(),
        code: row.number("check_code").and_then(|code| u16::try_from(code).ok()),
        duration: row.number("check_duration"),
        detail: row.text("last_chk").to_owned(),
        health: small(row, "check_health"),
        rise: u16::try_from(large(row, "check_rise")).unwrap_or(u16::MAX),
        fall: u16::try_from(large(row, "check_fall")).unwrap_or(u16::MAX),
        failed: large(row, "chkfail"),
    }
}

fn traffic(row: &Row) -> Traffic {
    Traffic {
        queued: small(row, "qcur"),
        queued_max: small(row, "qmax"),
        sessions: small(row, "scur"),
        sessions_max: small(row, "smax"),
        sessions_total: large(row, "stot"),
        bytes_in: large(row, "bin"),
        bytes_out: large(row, "bout"),
        connect_errors: large(row, "econ"),
        server_aborts: large(row, "srv_abrt"),
        client_aborts: large(row, "cli_abrt"),
        retries: large(row, "wretr"),
        redispatches: large(row, "wredis"),
        chosen: large(row, "lbtot"),
        session_rate: small(row, "rate"),
        session_rate_max: small(row, "rate_max"),
        last_session: row.number("lastsess"),
        queue_time: small(row, "qtime"),
        connect_time: small(row, "ctime"),
        response_time: small(row, "rtime"),
        total_time: small(row, "ttime"),
        queue_time_max: small(row, "qtime_max"),
        connect_time_max: small(row, "ctime_max"),
        response_time_max: small(row, "rtime_max"),
        total_time_max: small(row, "ttime_max"),
        http: http(row),
    }
}

fn cookie(row: &Row) -> Option<String> {
    let cookie = row.text("cookie");
    (!cookie.is_empty()).then(|| cookie.to_owned())
}

fn http(row: &Row) -> Option<HttpFigures> {
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];
    (row.text("mode") == "http").then(|| HttpFigures {
        requests: large(row, "req_tot"),
        request_rate: small(row, "req_rate"),
        request_rate_max: small(row, "req_rate_max"),
        open_requests: large(row, "h1_open_streams"),
        responses: classes.map(|class| large(row, &format!("hrsp_{class}"))),
        denied_requests: large(row, "dreq"),
        intercepted_requests: large(row, "intercepted"),
        invalid_requests: large(row, "ereq"),
        invalid_responses: large(row, "eresp"),
        connects: large(row, "connect"),
        reuses: large(row, "reuse"),
        idle_connections: vec![small(row, "srv_icur")],
        compression: CompressionFigures {
            bytes_in: large(row, "comp_in"),
            bytes_out: large(row, "comp_out"),
            bytes_bypassed: large(row, "comp_byp"),
            responses: large(row, "comp_rsp"),
        },
    })
}

fn large(row: &Row, column: &str) -> u64 {
    row.number(column).unwrap_or(0)
}

fn small(row: &Row, column: &str) -> u32 {
    narrow(large(row, column))
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haproxys_rows_become_figures() {
        let answer = include_str!("../../../tests/golden/haproxy-2.6.12/show_stat.csv");
        let totals = Totals::new("erlmcp", &[], &Row::parse(answer).unwrap());
        let backend = &totals.proxies.backends[1];
        assert_eq!((backend.name.as_str(), backend.servers.len()), ("be", 3));
        let states: Vec<_> = backend
            .servers
            .iter()
            .map(|server| (server.health, server.admin.maint))
            .collect();
        assert_eq!(
            states,
            [(Health::Up, false), (Health::Down, false), (Health::Up, true)]
        );
        let words: Vec<String> = backend.servers.iter().map(state::word).collect();
        assert_eq!(words, ["UP 1/3", "DOWN", "MAINT"]);
        let check = backend.servers[0].check.as_ref().unwrap();
        assert_eq!((check.status, check.rise), ("L7OK", 2));
        assert_eq!(backend.servers[0].maxconn, 50);
    }

    #[test]
    fn a_servers_state_is_the_one_reported_by_the_processes() {
        let rows = "# pxname,svname,type,status,check_status,\nbe,s1,2,UP,,\nbe,s2,2,UP (2/3),L7OK,\nbe,s3,2,NOLB,L7OK,\nbe,BACKEND,1,UP,,\n";
        let totals = Totals::new("erlmcp", &[], &Row::parse(rows).unwrap());
        let servers = &totals.proxies.backends[0].servers;
        let words: Vec<String> = servers.iter().map(state::word).collect();
        assert_eq!(words, ["UP", "UP (2/3)", "NOLB"]);
    }
}
