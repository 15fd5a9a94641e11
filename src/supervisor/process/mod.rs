//! Processes: started, watched, restarted and stopped, with everything that they start.

pub(super) mod child;
pub(super) mod children;
pub(super) mod cpu_usage;
pub(super) mod descendants;
pub(super) mod groups;
pub(super) mod left_behind;
pub(super) mod lifecycle;
pub(super) mod port_check;
pub(super) mod processes;
pub(super) mod readiness;
pub(super) mod restarts;
pub(super) mod stop_sequence;
pub(super) mod watcher;
