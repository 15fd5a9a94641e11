//! The supervisor's API over its UNIX socket, in HTTP and JSON, and its client.
//!
//! Each request is a [`Call`], with its path, order and answer. A request that cannot be
//! carried out is answered 4xx or 5xx with a [`Refusal`].

mod alert;
mod calls;
mod change;
mod client;
mod failover;
mod health;
mod orders;
mod rebalance;
mod rollout;
mod stats;
mod status;

pub use alert::{Alert, AlertKind};
pub use calls::{Call, GetFailovers, GetHealth, GetProgress, GetRebalance, GetRollout, GetStats, GetStatus};
pub use change::{BalancerChange, ChangeOrder, ChangePlan, Changed, Target};
pub use client::{Client, ClientError, UNKNOWN_NODE};
pub use failover::{Failover, FailoverCause, Failovers};
pub use health::{Alike, Health, Latency, LatencyClass, NodeLatency};
pub use orders::{
    DrainOrder, Only, Progress, ProgressState, Readied, ReadyOrder, Refusal, RestartOrder, StartOrder, Step,
    StepState, StopOrder, SwitchOrder, Switched, UpgradeOrder,
};
pub use rebalance::{
    EndedRebalance, Rebalance, RebalanceFigures, RebalanceNode, RebalanceOrder, RebalancePlan,
    RebalanceResult, Rebalances,
};
pub use rollout::{EndedRollout, Rollout, RolloutKind, RolloutResult, Rollouts};
pub use stats::{Figure, FirstByte, NginxTotals, Stats, StatsRow};
pub use status::{
    Balancer, BalancerState, ClusterState, ConnectionsBy, Distribution, Endpoints, FormerBalancer, Node,
    NodeState, Status, Verdict,
};
