//! How nodes are replaced while the cluster runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::units::{Count, Percent, Period, whole};

/// How nodes are replaced while the cluster runs, and when that stops and is undone.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Nodes that are replaced first and held for `hold`; 0: none.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub canary: u16,
    /// Nodes that are replaced at a time.
    #[serde(deserialize_with = "whole")]
    #[schemars(with = "Count")]
    pub batch: u16,
    /// How long the canaries serve before the other nodes are replaced.
    pub hold: Period,
    /// The share of 5xx and failed connections of the canaries above which the rollout is undone.
    pub max_errors: Percent,
    /// The p99 latency of the canaries above which the rollout is undone; null: it does not matter.
    pub max_p99: Option<Period>,
}
