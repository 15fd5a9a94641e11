//! What a balancer uses, asked from outside.

use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Measures a balancer's processes.
pub(crate) struct Meter {
    pids: Vec<Pid>,
}

impl Meter {
    /// For the processes `pids`.
    pub(crate) const fn new(pids: Vec<Pid>) -> Meter {
        Meter { pids }
    }

    /// The processes.
    pub(crate) fn pids(&self) -> &[Pid] {
        &self.pids
    }

    /// Processor time that they have used, user and system, by the nanosecond: the kernel's own clock of a process, which
    /// has all its threads in it, those that have ended included.
    pub(crate) fn cpu(&self) -> Duration {
        let clocks = self.pids.iter().filter_map(|pid| {
            let clock = clock_getcpuclockid(*pid).ok()?;
            clock_gettime(clock).ok()
        });
        clocks.map(Duration::from).sum()
    }

    /// Memory that they have made, in bytes; what several share counts once. Not what is mapped from files: the kernel
    /// takes and gives that as it likes.
    pub(crate) fn memory(&self) -> u64 {
        let each = self.pids.iter().filter_map(|pid| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let kilobytes = |name| {
                let value = text.lines().find_map(|line| line.strip_prefix(name))?;
                value.trim().trim_end_matches(" kB").parse::<u64>().ok()
            };
            Some(kilobytes("Pss_Anon:")? + kilobytes("Pss_Shmem:")?)
        });
        each.sum::<u64>() * 1024
    }
}
