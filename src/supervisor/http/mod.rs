//! HTTP: the control socket, its API, and the listener for metrics.

mod coalesced;
pub(super) mod control_api;
pub(super) mod control_socket;
pub(super) mod metrics_listener;
