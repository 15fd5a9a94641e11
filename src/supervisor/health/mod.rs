//! The health of nodes and balancer processes: probes, states, and how long a node is held back.

pub(super) mod filling;
pub(super) mod first_probe;
pub(super) mod hold_down;
mod http_check;
pub(super) mod liveness;
pub(super) mod node_probes;
pub(super) mod probing;
pub(super) mod release;
pub(super) mod table;
