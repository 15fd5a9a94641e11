//! Memory and processor time of one process.

use std::time::{Duration, Instant};

use crate::platform::Identity;
use crate::platform::usage::usage;

/// What one process takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    /// Resident memory.
    pub(super) memory_bytes: u64,
    /// Processor time since the reading before, in percent of one processor.
    pub(super) cpu_percent: f64,
    last: Option<(Identity, Instant, Duration)>,
}

impl Meter {
    /// Reads what `process` takes now.
    pub(super) fn read(&mut self, process: Identity, now: Instant) {
        let Some(usage) = usage(process.pid) else { return };
        self.memory_bytes = usage.memory_bytes;
        if let Some((before, at, cpu)) = self.last
            && before == process
            && now > at
        {
            let share = usage.cpu.saturating_sub(cpu).as_secs_f64() / (now - at).as_secs_f64();
            self.cpu_percent = (share * 1_000.0).round() / 10.0;
        }
        self.last = Some((process, now, usage.cpu));
    }
}
