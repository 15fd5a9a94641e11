//! Failovers: found, measured, and remembered.

pub(super) mod detect;
pub(super) mod history;
pub(super) mod timeline;
