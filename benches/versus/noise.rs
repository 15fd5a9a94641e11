//! The load of other processes on this machine: measurements of a busy machine are worth less.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Measures the processor time of other processes.
pub(crate) struct Noise {
    begun: Instant,
    /// Processor time of all processes.
    all: Duration,
    /// Processor time of this process and of the measured ones.
    ours: Duration,
}

impl Noise {
    /// Starts to measure; `contenders` have used this much processor time so far.
    pub(crate) fn begin(contenders: Duration) -> Noise {
        Noise {
            begun: Instant::now(),
            all: all(),
            ours: own() + contenders,
        }
    }

    /// The share of the machine that other processes have used so far, in percent.
    pub(crate) fn share(&self, contenders: Duration) -> f64 {
        let ours = (own() + contenders).saturating_sub(self.ours);
        let others = all().saturating_sub(self.all).saturating_sub(ours);
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let processors = u32::try_from(processors).unwrap_or(1);
        let machine = self.begun.elapsed() * processors;
        others.as_secs_f64() / machine.as_secs_f64().max(1e-9) * 100.0
    }
}

// Private

fn own() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// `cpu  user nice system idle iowait irq softirq steal ..` in `/proc/stat`, in hundredths of a
/// second: everything but idle time.
fn all() -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.split_ascii_whitespace().skip(1).take(8);
    let busy = fields
        .enumerate()
        .filter(|(index, _)| !matches!(index, 3 | 4))
        .filter_map(|(_, field)| field.parse::<u64>().ok());
    Duration::from_millis(busy.sum::<u64>() * 10)
}
