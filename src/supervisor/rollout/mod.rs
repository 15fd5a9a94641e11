//! Rollouts: nodes are added, replaced batch by batch, and removed, while the cluster serves.
//!
//! | room | what it is |
//! | --- | --- |
//! | `steps` | what has to be done, as steps in order |
//! | `state` | a rollout in progress, as a value |
//! | `rollouts` | the owner: the rollout in progress, and the last one |
//! | `current` | the rollout in progress, with what it needs beside its steps |
//! | `drain_progress` | how many connections a drained node still has |
//! | `saved` | a rollout in the state file |
//! | `carry_out` | what the core does for a step |
//! | `apply` | what it does so that the balancer gets the nodes |
//! | `view` | what a rollout sees of the core |
//! | `judging` | what the core does while the first nodes are judged |
//! | `gate` | the verdict about them |
//! | `figures` | what balancers know of them |
//! | `report` | how a rollout is shown |

#[cfg(test)]
mod tests;

mod apply;
pub(super) mod carry_out;
pub(super) mod current;
mod drain_progress;
pub(super) mod figures;
pub(super) mod gate;
pub(super) mod judging;
pub(super) mod report;
pub(super) mod rollouts;
pub(super) mod saved;
pub(super) mod state;
pub(super) mod steps;
mod view;
