//! Failovers: detected, measured, and kept for reports.

pub(super) mod detect;
pub(super) mod history;
pub(super) mod timeline;
