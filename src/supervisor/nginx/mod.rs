//! What only nginx needs: its access log and its statistics.

pub(super) mod access_log;
pub(super) mod stats;
