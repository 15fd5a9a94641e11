//! The supervisor's API over its UNIX socket, in HTTP and JSON, and its client.
//!
//! Each request is a [`Call`], with its path, order and answer. A request that cannot be
//! carried out is answered 4xx or 5xx with a [`Refusal`].

mod alert;
mod calls;
mod client;
mod failover;
mod health;
mod orders;
mod stats;
mod status;

pub use alert::{Alert, AlertKind};
pub use calls::{Call, GetFailovers, GetHealth, GetProgress, GetStats, GetStatus};
pub use client::{Client, ClientError};
pub use failover::{Failover, FailoverCause, Failovers};
pub use health::{Alike, Health, Latency, LatencyClass, NodeLatency};
pub use orders::{
    DrainOrder, Only, Progress, Readied, ReadyOrder, Refusal, ReloadOrder, Reloaded, RestartOrder, Rollout,
    StartOrder, Step, StepState, StopOrder,
};
pub use stats::{Figure, FirstByte, NginxTotals, Stats, StatsRow};
pub use status::{
    Balancer, BalancerState, ClusterState, ConnectionsBy, Distribution, Endpoints, Node, NodeState, Status,
    Verdict,
};
