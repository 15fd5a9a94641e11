//! What is measured, and what that means: distribution, latency, alerts, metrics.

pub mod access_log;
mod alerts;
mod distribution;
mod latency;
mod metrics;
mod nginx;
mod stats;

pub use alerts::alerts;
pub use distribution::distribution;
pub use latency::{Samples, latency};
pub use metrics::{METRICS_CONTENT_TYPE, metrics};
pub use nginx::{NginxView, nginx_stats};
pub use stats::stats;

#[cfg(test)]
mod testing {
    //! Values to judge.

    use crate::api::{ClusterState, ConnectionsBy, Node, NodeState, Status};
    use crate::profile::{Cluster, Source, load};

    pub(super) fn cluster() -> Cluster {
        load(&Source::read("default").unwrap()).unwrap()
    }

    pub(super) fn node(state: NodeState, connections: u64) -> Node {
        Node {
            name: format!("n{connections}"),
            state,
            pid: Some(1),
            elsewhere: false,
            restarts: 0,
            tcp: "127.0.0.1:9001".parse().unwrap(),
            http: None,
            connections,
            connections_by: ConnectionsBy {
                tcp: connections,
                http: 0,
            },
            memory_bytes: 1,
            cpu_percent: 0.0,
            uptime_seconds: 1,
            reason: None,
            erlang: None,
        }
    }

    pub(super) fn status(nodes: Vec<Node>) -> Status {
        Status {
            cluster: "erlmcp".into(),
            state: ClusterState::Healthy,
            balancer: None,
            distribution: super::distribution(&cluster(), &nodes, 100_000),
            nodes,
            warnings: Vec::new(),
        }
    }
}
