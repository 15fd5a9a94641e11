//! The calls of the control API: each has a path, an order, and an answer.
//!
//! A call is the type of its order. The client sends it by [`Client::call`](super::Client::call);
//! the supervisor's router takes path and types from here, too.

use std::time::Duration;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    ChangeOrder, Changed, DrainOrder, Failovers, Health, Progress, Readied, ReadyOrder, RebalanceOrder,
    RebalancePlan, Rebalances, RestartOrder, Rollouts, StartOrder, Stats, Status, StopOrder, SwitchOrder,
    Switched, UpgradeOrder,
};

/// Timeout of an answer. Every answer is made at once, so a supervisor that takes longer is stuck.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout of the plan of a rebalance, for which every session is read.
const REBALANCE_TIMEOUT: Duration = Duration::from_secs(30);

/// Timeout of a reload, which waits for the running instance to settle and for the new one to
/// answer.
const RELOAD_TIMEOUT: Duration = Duration::from_mins(1);

/// Timeout of a switch, which waits until the other balancer is healthy, and until the former one
/// accepts no connections any more.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(90);

/// A call of the control API. With `GET` it has no body, and its order is a unit; with `POST` the
/// order is the body, in JSON.
pub trait Call: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The method.
    const METHOD: Method;
    /// The path.
    const PATH: &'static str;
    /// How long the client waits for the answer.
    const TIMEOUT: Duration = ANSWER_TIMEOUT;
    /// The answer, in JSON.
    type Answer: Serialize + DeserializeOwned + Send;
}

/// The status of the cluster.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GetStatus;

impl Call for GetStatus {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/status";
    type Answer = Status;
}

/// The status of the cluster, with latencies and alerts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GetHealth;

impl Call for GetHealth {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/health";
    type Answer = Health;
}

/// The progress of the latest start or restart.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GetProgress;

impl Call for GetProgress {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/progress";
    type Answer = Progress;
}

/// The balancer's statistics. It is refused when no balancer runs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GetStats;

impl Call for GetStats {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/stats";
    type Answer = Stats;
}

/// The latest failovers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GetFailovers;

impl Call for GetFailovers {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/failovers";
    type Answer = Failovers;
}

/// The rollout that goes on, and the one before.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GetRollout;

impl Call for GetRollout {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/rollout";
    type Answer = Rollouts;
}

/// [`GetProgress`] shows how far the start is.
impl Call for StartOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/start";
    type Answer = ();
}

/// Answered at once; the socket is gone when everything is stopped.
impl Call for StopOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/stop";
    type Answer = ();
}

/// [`GetProgress`] shows how far the restart is.
impl Call for RestartOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/restart";
    type Answer = ();
}

/// Answered when the change is carried out or, if nodes come or go, when its rollout has begun;
/// [`GetRollout`] shows how far that is. After a refusal nothing has changed.
impl Call for ChangeOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/change";
    const TIMEOUT: Duration = RELOAD_TIMEOUT;
    type Answer = Changed;
}

/// Answered when the other balancer has taken over. After a refusal the former one serves.
impl Call for SwitchOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/switch";
    const TIMEOUT: Duration = SWITCH_TIMEOUT;
    type Answer = Switched;
}

/// Answered just before the supervisor becomes the other program; [`GetStatus`] shows its version.
impl Call for UpgradeOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/upgrade";
    type Answer = ();
}

/// Answered when the balancer follows; the answer is a warning if the drain is not saved.
impl Call for DrainOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/drain";
    type Answer = Option<String>;
}

/// Answered when the balancer follows. If the drain had stopped the node, [`GetProgress`] shows how
/// far its start is.
impl Call for ReadyOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/ready";
    type Answer = Readied;
}

/// The rebalance in progress, and the latest one that is over.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GetRebalance;

impl Call for GetRebalance {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/rebalance";
    type Answer = Rebalances;
}

/// Answered with the plan, when it was made; [`GetRebalance`] shows how far it is.
impl Call for RebalanceOrder {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/rebalance";
    const TIMEOUT: Duration = REBALANCE_TIMEOUT;
    type Answer = RebalancePlan;
}
