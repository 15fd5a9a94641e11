//! Measurements and their meaning: distribution, latency, alerts, metrics.

pub mod access_log;
mod alerts;
mod distribution;
mod evenness;
mod latency;
mod metrics;
mod nginx;
mod stats;

pub use alerts::{Facts, NodeFacts, NodeFailure, alerts};
pub use distribution::distribution;
pub use evenness::has_its_share;
pub use latency::{Sample, Samples, latency};
pub use metrics::{METRICS_CONTENT_TYPE, metrics};
pub use nginx::{NginxView, nginx_stats};
pub use stats::stats;

#[cfg(test)]
mod testing {
    //! Values to judge in tests.

    use std::time::Duration;

    use super::{Sample, Samples};
    use crate::api::{
        Balancer, BalancerState, ClusterState, ConnectionsBy, Endpoints, Latency, Node, NodeState, Status,
    };
    use crate::plan::ChosenBy;
    use crate::profile::{BalancerKind, Cluster, Source, load};

    /// `count` answers, each of which took `millis`.
    pub(super) fn samples(count: usize, millis: u64) -> Samples {
        let mut samples = Samples::default();
        (0..count).for_each(|_| samples.add(answered(millis)));
        samples
    }

    /// An answer that took `millis`.
    pub(super) fn answered(millis: u64) -> Sample {
        Sample {
            took: Duration::from_millis(millis),
            is_answered: true,
            is_explained: false,
        }
    }

    /// Latencies where 20 ms are the target.
    pub(super) fn latency<'a>(nodes: impl IntoIterator<Item = (&'a str, &'a Samples)>) -> Latency {
        super::latency(nodes, cluster().targets.p99)
    }

    /// A balancer that computes each new client's node.
    pub(super) fn balancer(chosen_by: ChosenBy) -> Balancer {
        Balancer {
            kind: BalancerKind::Nginx,
            version: "1.22.1".to_owned(),
            state: BalancerState::Running,
            switching_to: None,
            pids: vec![1],
            former: Vec::new(),
            restarts: 0,
            uptime_seconds: 1,
            endpoints: Endpoints::default(),
            stats_sockets: Vec::new(),
            overrides: Vec::new(),
            chosen_by: [("tcp".to_owned(), chosen_by)].into(),
        }
    }

    pub(super) fn cluster() -> Cluster {
        load(&Source::read("default").unwrap()).unwrap()
    }

    pub(super) fn node(state: NodeState, connections: u64) -> Node {
        Node {
            name: format!("n{connections}"),
            state,
            answers: state.answers(),
            pid: Some(1),
            external: false,
            elsewhere: false,
            restarts: 0,
            tcp: Some("127.0.0.1:9001".parse().unwrap()),
            http: None,
            eras: Vec::new(),
            mcp_problem: None,
            connections,
            connections_by: ConnectionsBy {
                tcp: connections,
                http: 0,
            },
            memory_bytes: 1,
            cpu_percent: 0.0,
            uptime_seconds: 1,
            reason: None,
            filling_seconds: None,
            erlang: None,
        }
    }

    pub(super) fn status(nodes: Vec<Node>) -> Status {
        Status {
            cluster: "erlmcp".into(),
            version: "0.1.0".into(),
            state: ClusterState::Healthy,
            balancer: None,
            rollout: None,
            distribution: super::distribution(&cluster(), &nodes, 100_000),
            nodes,
            warnings: Vec::new(),
        }
    }
}
