//! The supervisor's API over its UNIX socket, in HTTP and JSON, and its client.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/status` | [`Status`] |
//! | `GET /v1/health` | [`Health`] |
//! | `GET /v1/progress` | [`Progress`] of the rollout that `start` or `restart` began |
//! | `GET /v1/stats` | [`Stats`] |
//! | `GET /v1/failovers` | [`Failovers`] |
//! | `POST /v1/start` | [`StartOrder`]: starts what is not running yet |
//! | `POST /v1/stop` | [`StopOrder`]: answered at once; the socket is gone when all is stopped |
//! | `POST /v1/restart` | [`RestartOrder`] |
//! | `POST /v1/reload` | [`ReloadOrder`]: answered by [`Reloaded`] when it is carried out |
//! | `POST /v1/drain` | [`DrainOrder`] |
//! | `POST /v1/ready` | [`ReadyOrder`] |
//!
//! A request that cannot be carried out is answered 4xx or 5xx with a [`Refusal`].

mod client;
mod failover;
mod health;
mod orders;
mod stats;
mod status;

pub use client::{Client, ClientError};
pub use failover::{Failover, FailoverCause, Failovers};
pub use health::{Alert, AlertKind, Alike, Health, Latency, LatencyClass, NodeLatency};
pub use orders::{
    DrainOrder, Only, Progress, Readied, ReadyOrder, Refusal, ReloadOrder, Reloaded, RestartOrder, Rollout,
    StartOrder, Step, StepState, StopOrder,
};
pub use stats::{Figure, FirstByte, NginxTotals, Stats, StatsRow};
pub use status::{
    Balancer, BalancerState, ClusterState, ConnectionsBy, Distribution, Endpoints, Node, NodeState, Status,
    Verdict,
};
