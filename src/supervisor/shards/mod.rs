//! Several HAProxy processes that share their listeners.

pub(super) mod listeners;
pub(super) mod stats_page;
pub(super) mod steering;
pub(super) mod totals;
