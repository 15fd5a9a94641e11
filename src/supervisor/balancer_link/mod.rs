//! The link to the balancer: the desired state of each node, and what was sent to the balancer.

pub(super) mod close_connections;
pub(super) mod config_files;
pub(super) mod config_sync;
pub(super) mod desired;
pub(super) mod link;
pub(super) mod out_of_sync;
pub(super) mod pending_reply;
pub(super) mod replacement;
pub(super) mod runtime_sync;
pub(super) mod worker_reload;
