//! Sample clusters for reports.

use std::collections::BTreeMap;

use crate::api::{
    Balancer, BalancerState, ClusterState, ConnectionsBy, Distribution, Endpoints, Node, NodeState, Rollout,
    RolloutKind, Status, Verdict,
};
use crate::erlang::distribution::{Memory, Vitals};
use crate::profile::BalancerKind;

/// `text` without its colours.
pub(super) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The reference's node number `number`.
pub(super) fn node(number: u16, state: NodeState, connections: u64) -> Node {
    Node {
        name: format!("erlmcp{number}"),
        state,
        answers: state.answers(),
        pid: Some(1_000 + u32::from(number)),
        external: false,
        elsewhere: false,
        restarts: 0,
        tcp: Some(([127, 0, 0, 1], 9_000 + number).into()),
        http: Some(([127, 0, 0, 1], 8_080 + number).into()),
        eras: Vec::new(),
        mcp_problem: None,
        connections,
        connections_by: ConnectionsBy {
            tcp: connections,
            http: 0,
        },
        memory_bytes: 28_345_678,
        cpu_percent: 2.5,
        uptime_seconds: 302,
        reason: None,
        filling_seconds: None,
        erlang: None,
    }
}

/// The statistics of a BEAM node.
pub(super) fn vitals() -> Vitals {
    Vitals {
        otp_release: "25".into(),
        uptime_seconds: 7_503,
        memory: Memory {
            total: 30_000_000,
            processes: 6_000_000,
            processes_used: 5_900_000,
            system: 24_000_000,
            atom: 300_000,
            atom_used: 290_000,
            binary: 1_200_000,
            code: 9_000_000,
            ets: 600_000,
        },
        processes: 50,
        process_limit: 262_144,
        ports: 3,
        port_limit: 65_536,
        run_queue: 0,
        schedulers: 2,
        connected: Vec::new(),
    }
}

/// The reference's cluster under 100,000 connections.
pub(super) fn busy() -> Status {
    Status {
        cluster: "erlmcp".into(),
        version: "0.1.0".into(),
        state: ClusterState::Healthy,
        balancer: Some(Balancer {
            kind: BalancerKind::Haproxy,
            version: "2.6.12".into(),
            state: BalancerState::Running,
            switching_to: None,
            pids: vec![123],
            former: Vec::new(),
            restarts: 0,
            uptime_seconds: 300,
            endpoints: Endpoints {
                listeners: BTreeMap::from([
                    ("tcp".into(), ([127, 0, 0, 1], 8_000).into()),
                    ("http".into(), ([127, 0, 0, 1], 8_080).into()),
                ]),
                paths: BTreeMap::from([("http".into(), "/mcp".into())]),
                stats_socket: Some("/run/clusterctl/erlmcp/haproxy.sock".into()),
                status_socket: None,
            },
            stats_sockets: vec!["/run/clusterctl/erlmcp/haproxy.sock".into()],
            overrides: Vec::new(),
            chosen_by: BTreeMap::new(),
        }),
        nodes: [25_234, 24_987, 25_156, 24_623]
            .into_iter()
            .zip(1..)
            .map(|(connections, number)| node(number, NodeState::Up, connections))
            .collect(),
        rollout: None,
        distribution: Distribution {
            total: 100_000,
            capacity: 100_000,
            mean: 25_000.0,
            target: 25_000,
            tolerance: 500,
            tolerance_percent: 2.0,
            min: 24_623,
            max: 25_234,
            variance_percent: 2.444,
            variance_target_percent: 5.0,
            stddev: 230.1,
            jain: 0.9999,
            verdict: Verdict::Pass,
        },
        warnings: Vec::new(),
    }
}

/// A rolling restart on its way.
pub(super) fn rolling() -> Rollout {
    Rollout {
        kind: RolloutKind::Restart,
        step: 2,
        of: 4,
        node: Some("erlmcp2".into()),
        since: "2026-11-29T16:40:02Z".into(),
        by: "root (pid 4711)".into(),
        doing: "erlmcp2 is being drained: 37 connections".into(),
        stopped: None,
        note: None,
        log: Vec::new(),
    }
}

/// The reference's cluster with very few clients.
pub(super) fn idle() -> Status {
    let mut status = busy();
    for node in &mut status.nodes {
        node.connections = 3;
    }
    status.distribution = Distribution {
        total: 12,
        mean: 3.0,
        tolerance: 0,
        min: 3,
        max: 3,
        variance_percent: 0.0,
        stddev: 0.0,
        jain: 1.0,
        verdict: Verdict::Idle,
        ..status.distribution
    };
    status
}

/// The reference's cluster, stopped.
pub(super) fn down() -> Status {
    Status::down("erlmcp")
}
