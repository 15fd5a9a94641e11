//! nginx's statistics in the form of HAProxy's `show stat` rows, made from the available sources.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::access_log::{Figures, Kind, Tally, Traffic};
use crate::api::{ConnectionsBy, Figure, FirstByte, NginxTotals, Node, NodeState, Stats, StatsRow};
use crate::haproxy_api::StubStatus;
use crate::profile::{Cluster, HealthKind};

/// Everything that is known of an nginx.
#[derive(Clone, Copy, Debug)]
pub struct NginxView<'a> {
    /// The cluster that it serves.
    pub cluster: &'a Cluster,
    /// The nodes as the supervisor sees them, with the kernel's counts.
    pub nodes: &'a [Node],
    /// For each node, the keys of listeners whose clients others keep from it.
    pub out_of: &'a [BTreeSet<&'static str>],
    /// Connections at the listener of each kind, in the order of [`Kind::ALL`], as the kernel
    /// counts them.
    pub at_listeners: [u64; Kind::ALL.len()],
    /// Its status page; the counts include the request for the page.
    pub page: StubStatus,
    /// Its access log.
    pub tally: &'a Tally,
    /// The time now, in seconds since 1970.
    pub now: u64,
}

/// A frontend, a server for each node, and a backend, for each kind of traffic.
#[must_use]
pub fn nginx_stats(view: &NginxView<'_>) -> Stats {
    let served = Kind::ALL
        .into_iter()
        .zip(view.at_listeners)
        .filter(|(kind, _)| kind.is_served(view.cluster));
    Stats {
        rows: served
            .flat_map(|(kind, at_listener)| view.rows(kind, at_listener))
            .collect(),
        silent: 0,
        nginx: Some(NginxTotals {
            connections: view.page.active.saturating_sub(1),
            dropped: view.page.accepted.saturating_sub(view.page.handled),
            strange_lines: view.tally.strange(),
        }),
    }
}

// Private

impl NginxView<'_> {
    fn rows(&self, kind: Kind, at_listener: u64) -> Vec<StatsRow> {
        let traffic = self.tally.of(kind);
        let nothing = BTreeSet::new();
        let out_of = self.out_of.iter().chain(std::iter::repeat(&nothing));
        let servers = self.nodes.iter().zip(out_of);
        let servers = servers.filter_map(|(node, out_of)| self.server(kind, traffic, node, out_of));
        let servers: Vec<StatsRow> = servers.collect();
        let backend = self.backend(kind, traffic, &servers);
        let mut rows = vec![self.frontend(kind, traffic, at_listener)];
        rows.extend(servers);
        rows.push(backend);
        rows
    }

    fn frontend(&self, kind: Kind, traffic: &Traffic, at_listener: u64) -> StatsRow {
        StatsRow {
            proxy: kind.frontend().to_owned(),
            name: "FRONTEND".to_owned(),
            status: "OPEN".to_owned(),
            sessions: at_listener,
            unreported: vec![Figure::SessionsMax, Figure::Queued],
            ..self.row(kind, traffic.front, at_listener)
        }
    }

    fn server(
        &self,
        kind: Kind,
        traffic: &Traffic,
        node: &Node,
        out_of: &BTreeSet<&str>,
    ) -> Option<StatsRow> {
        let sessions = sessions(kind, node.connections_by);
        let figures = traffic.server(address(kind, node)?);
        let check = match self.cluster.health.kind {
            _ if !node.state.answers() => "",
            HealthKind::Tcp => "L4OK",
            HealthKind::Auto | HealthKind::Http | HealthKind::Mcp => "L7OK",
        };
        Some(StatsRow {
            name: node.name.clone(),
            status: word(node, is_out(kind, out_of)).to_owned(),
            check: check.to_owned(),
            ..self.upstream_row(kind, figures, sessions)
        })
    }

    fn backend(&self, kind: Kind, traffic: &Traffic, servers: &[StatsRow]) -> StatsRow {
        let is_up = servers.iter().any(|server| server.status == "UP");
        let sessions = servers.iter().map(|server| server.sessions).sum();
        let quantile = |quantile| traffic.first_byte.quantile(quantile);
        StatsRow {
            name: "BACKEND".to_owned(),
            status: if is_up { "UP" } else { "DOWN" }.to_owned(),
            first_byte: quantile(0.50)
                .zip(quantile(0.99))
                .map(|(p50_ms, p99_ms)| FirstByte { p50_ms, p99_ms }),
            ..self.upstream_row(kind, traffic.back, sessions)
        }
    }

    /// The common part of the rows of nodes and upstreams.
    fn upstream_row(&self, kind: Kind, figures: Figures, sessions: u64) -> StatsRow {
        let mut unreported = vec![Figure::SessionsMax, Figure::Queued];
        if kind != Kind::Tcp {
            unreported.push(Figure::Sessions);
        }
        StatsRow {
            proxy: kind.upstream().to_owned(),
            sessions,
            unreported,
            ..self.row(kind, figures, sessions)
        }
    }

    /// A row from the access log. The log has TCP sessions only once they have ended, so the `now`
    /// open ones are added.
    fn row(&self, kind: Kind, figures: Figures, now: u64) -> StatsRow {
        let live = if kind == Kind::Tcp { now } else { 0 };
        StatsRow {
            sessions_total: figures.sessions.saturating_add(live),
            rate: figures.rate.at(self.now),
            bytes_in: figures.bytes_in,
            bytes_out: figures.bytes_out,
            denied: figures.denied,
            connect_errors: figures.connect_errors,
            errors: figures.errors,
            ..StatsRow::default()
        }
    }
}

/// The address where `node` serves `kind`.
fn address(kind: Kind, node: &Node) -> Option<SocketAddr> {
    match kind {
        Kind::Tcp => node.tcp,
        Kind::Http | Kind::WebSocket | Kind::Sse => node.http,
    }
}

/// Current sessions of `kind`. A node has one port for everything over HTTP, so the kernel cannot
/// distinguish those kinds.
const fn sessions(kind: Kind, connections: ConnectionsBy) -> u64 {
    match kind {
        Kind::Tcp => connections.tcp,
        Kind::Http | Kind::WebSocket | Kind::Sse => 0,
    }
}

/// Whether others keep clients of `kind` from a node that they took `out_of` some listeners. An
/// upstream is for TCP or for HTTP.
fn is_out(kind: Kind, out_of: &BTreeSet<&str>) -> bool {
    let is_tcp = |key: &str| key == Kind::Tcp.name();
    out_of.iter().any(|key| is_tcp(key) == (kind == Kind::Tcp))
}

/// A node's state in HAProxy's terms: the state that nginx was given, or that others took the node
/// out for this kind of traffic.
const fn word(node: &Node, is_out: bool) -> &'static str {
    match node.state {
        NodeState::Maintenance if is_out => "MAINT",
        // Others can only take out a node that nginx was to give clients.
        NodeState::Up | NodeState::Maintenance => "UP",
        NodeState::Draining | NodeState::Drained => "DRAIN",
        NodeState::HeldBack
        | NodeState::Down
        | NodeState::Starting
        | NodeState::Stopped
        | NodeState::Failed => "DOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cluster, node};
    use super::*;

    fn nodes() -> Vec<Node> {
        let node = |number: u16, state, connections| Node {
            name: format!("erlmcp{number}"),
            tcp: Some(([127, 0, 0, 1], 9000 + number).into()),
            http: Some(([127, 0, 0, 1], 8080 + number).into()),
            ..node(state, connections)
        };
        vec![
            node(1, NodeState::Up, 30),
            node(2, NodeState::Draining, 7),
            node(3, NodeState::Down, 0),
            node(4, NodeState::Maintenance, 0),
        ]
    }

    fn stats_of(lines: &[&str]) -> Stats {
        let mut out_of = vec![BTreeSet::new(); 4];
        out_of[3].insert("tcp");
        let mut tally = Tally::default();
        for line in lines {
            tally.add_line(line.as_bytes());
        }
        nginx_stats(&NginxView {
            cluster: &cluster(),
            nodes: &nodes(),
            out_of: &out_of,
            at_listeners: [37, 5, 0, 2],
            page: StubStatus {
                active: 45,
                accepted: 100,
                handled: 98,
                ..StubStatus::default()
            },
            tally: &tally,
            now: 1_001,
        })
    }

    fn row<'a>(stats: &'a Stats, proxy: &str, name: &str) -> &'a StatsRow {
        let mut rows = stats.rows.iter();
        rows.find(|row| row.proxy == proxy && row.name == name).unwrap()
    }

    #[test]
    fn each_kind_has_a_frontend_its_nodes_and_a_backend() {
        let stats = stats_of(&[]);
        let names = |proxy: &str| {
            let rows = stats.rows.iter().filter(|row| row.proxy == proxy);
            rows.map(|row| row.name.as_str()).collect::<Vec<_>>()
        };
        for kind in Kind::ALL {
            assert_eq!(names(kind.frontend()), ["FRONTEND"]);
            assert_eq!(
                names(kind.upstream()),
                ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4", "BACKEND"]
            );
        }
        assert_eq!(stats.rows.len(), 4 * 6);
        let totals = stats.nginx.unwrap();
        assert_eq!(
            (totals.connections, totals.dropped, totals.strange_lines),
            (44, 2, 0)
        );
    }

    #[test]
    fn states_come_from_the_supervisor_and_counts_from_the_kernel() {
        let stats = stats_of(&[]);
        let tcp = |name| row(&stats, "erlmcp_tcp_cluster", name);
        let columns = |name| {
            (
                tcp(name).status.as_str(),
                tcp(name).check.as_str(),
                tcp(name).sessions,
            )
        };
        assert_eq!(columns("erlmcp1"), ("UP", "L7OK", 30));
        assert_eq!(columns("erlmcp2"), ("DRAIN", "L7OK", 7));
        assert_eq!(columns("erlmcp3"), ("DOWN", "", 0));
        assert_eq!(columns("erlmcp4"), ("MAINT", "L7OK", 0));
        assert_eq!(row(&stats, "erlmcp_sse_cluster", "erlmcp4").status, "UP");
        assert_eq!(columns("BACKEND"), ("UP", "", 37));
        assert_eq!(row(&stats, "mcp_frontend_sse", "FRONTEND").sessions, 2);
    }

    #[test]
    fn missing_figures_are_marked_as_missing() {
        let stats = stats_of(&[]);
        let unreported = |proxy, name| &row(&stats, proxy, name).unreported;
        assert!(!unreported("erlmcp_tcp_cluster", "erlmcp1").contains(&Figure::Sessions));
        assert!(unreported("erlmcp_websocket_cluster", "erlmcp1").contains(&Figure::Sessions));
        assert!(unreported("mcp_frontend_http", "FRONTEND").contains(&Figure::SessionsMax));
    }

    #[test]
    fn ended_sessions_come_from_the_log() {
        let stats = stats_of(&[
            r#"{"kind":"tcp","time":"1000.5","status":200,"bytes_in":5,"upstream":"127.0.0.1:9001","connect":"0.001","first_byte":"0.003"}"#,
            r#"{"kind":"tcp","time":"1000.7","status":503}"#,
            r#"{"kind":"http","time":"1000.9","status":502,"upstream":"127.0.0.1:8083","connect":"-"}"#,
        ]);
        let node = row(&stats, "erlmcp_tcp_cluster", "erlmcp1");
        assert_eq!((node.sessions_total, node.rate, node.bytes_in), (31, 1, 5));
        let front = row(&stats, "mcp_frontend_tcp", "FRONTEND");
        assert_eq!((front.sessions_total, front.rate, front.denied), (39, 2, 1));
        let backend = row(&stats, "erlmcp_tcp_cluster", "BACKEND");
        assert_eq!(backend.first_byte, Some(FirstByte { p50_ms: 3, p99_ms: 3 }));
        let refused = row(&stats, "erlmcp_http_cluster", "erlmcp3");
        assert_eq!(
            (refused.connect_errors, refused.errors, refused.sessions_total),
            (1, 1, 0)
        );
    }
}
