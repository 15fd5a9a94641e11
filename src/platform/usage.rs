//! The memory and processor time that a process uses.

use std::fs;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

use super::process::{Identity, fields_after_name, stat};

/// What a process has used up to one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// Processor time of all its threads.
    pub cpu: Duration,
}

impl Usage {
    /// Processor time since `earlier`, which was `elapsed` ago, in percent of one processor.
    #[must_use]
    pub fn cpu_percent_since(self, earlier: Usage, elapsed: Duration) -> f64 {
        if elapsed.is_zero() {
            return 0.0;
        }
        let used = self.cpu.saturating_sub(earlier.cpu);
        used.as_secs_f64() / elapsed.as_secs_f64() * 100.0
    }
}

/// What process `pid` has used until now; `None` when it does not exist.
#[must_use]
pub fn usage(pid: u32) -> Option<Usage> {
    parse(&stat(pid)?, clock_ticks_per_second(), page_size() as u64)
}

/// How long ago a process started; `None` when the kernel does not report it.
#[must_use]
pub fn age(process: Identity) -> Option<Duration> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    let started = ticks(process.start_time, clock_ticks_per_second());
    Some(Duration::try_from_secs_f64(uptime).ok()?.saturating_sub(started))
}

// Private

/// Reads fields 14, 15 and 24 of `/proc/PID/stat`.
fn parse(stat: &str, ticks_per_second: u64, page_size: u64) -> Option<Usage> {
    let mut fields = fields_after_name(stat)?;
    let mut number = |skipped| fields.nth(skipped)?.parse::<u64>().ok();
    let (user, system, pages) = (number(11)?, number(0)?, number(8)?);
    Some(Usage {
        memory_bytes: pages.saturating_mul(page_size),
        cpu: ticks(user.saturating_add(system), ticks_per_second),
    })
}

fn ticks(ticks: u64, per_second: u64) -> Duration {
    let per_second = per_second.max(1);
    let nanoseconds = (ticks % per_second).saturating_mul(1_000_000_000) / per_second;
    Duration::from_secs(ticks / per_second) + Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_after_any_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 99 1000 25 0";
        let usage = parse(stat, 100, 4096).unwrap();
        assert_eq!(
            (usage.memory_bytes, usage.cpu),
            (25 * 4096, Duration::from_secs(3))
        );
        for text in ["", "7 (a) S 1", "7 (a"] {
            assert_eq!(parse(text, 100, 4096), None, "{text}");
        }
    }

    #[test]
    fn processor_time_is_converted_to_percent() {
        let at = |milliseconds| Usage {
            memory_bytes: 0,
            cpu: Duration::from_millis(milliseconds),
        };
        let percent = at(1_500).cpu_percent_since(at(1_000), Duration::from_secs(2));
        assert!((percent - 25.0).abs() < 1e-9);
        assert!(at(1).cpu_percent_since(at(0), Duration::ZERO).abs() < 1e-9);
    }

    #[test]
    fn this_process_is_found_and_young() {
        let own = Identity::own();
        assert!(usage(own.pid).unwrap().memory_bytes > 100_000);
        assert!(age(own).unwrap() < Duration::from_hours(1));
        assert_eq!(usage(u32::MAX), None);
    }
}
