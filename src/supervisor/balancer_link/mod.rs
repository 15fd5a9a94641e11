//! The link to the balancer: what it is to know of each node, and what it was sent.

pub(super) mod config_files;
pub(super) mod config_sync;
pub(super) mod pending_reply;
pub(super) mod replacement;
pub(super) mod runtime_sync;
pub(super) mod worker_reload;
