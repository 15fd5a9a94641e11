//! Processor time of one process.

use std::time::Instant;

use crate::platform::usage::usage;
use crate::platform::{Identity, Usage};

/// Resource usage of one process.
#[derive(Clone, Debug, Default)]
pub(in crate::supervisor) struct CpuUsage {
    /// Processor time since the previous reading, in percent of one processor.
    pub(in crate::supervisor) cpu_percent: f64,
    last: Option<(Instant, Usage)>,
}

impl CpuUsage {
    /// Reads the usage of `process`, which must always be the same one.
    pub(in crate::supervisor) fn read(&mut self, process: Identity, now: Instant) {
        let Some(usage) = usage(process.pid) else { return };
        if let Some((at, earlier)) = self.last {
            let percent = usage.cpu_percent_since(earlier, now.saturating_duration_since(at));
            self.cpu_percent = (percent * 10.0).round() / 10.0;
        }
        self.last = Some((now, usage));
    }
}
