//! The resources of a balancer, measured from outside.

use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Measures the processes of a balancer.
pub(crate) struct Meter {
    pids: Vec<Pid>,
}

impl Meter {
    /// A meter of the processes `pids`.
    pub(crate) const fn new(pids: Vec<Pid>) -> Meter {
        Meter { pids }
    }

    /// The processes.
    pub(crate) fn pids(&self) -> &[Pid] {
        &self.pids
    }

    /// Processor time that they have used, user and system, to the nanosecond: the kernel's own
    /// clock of a process, which includes all its threads, ended ones too.
    pub(crate) fn cpu(&self) -> Duration {
        let clocks = self.pids.iter().filter_map(|pid| {
            let clock = clock_getcpuclockid(*pid).ok()?;
            clock_gettime(clock).ok()
        });
        clocks.map(Duration::from).sum()
    }

    /// Their anonymous memory, in bytes; shared memory counts once. Without pages mapped from
    /// files, which the kernel loads and drops as it likes.
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

/// The memory of the kernel for all TCP connections of this host, in bytes.
pub(crate) fn kernel_memory() -> u64 {
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"));
    let mut words = line.unwrap_or_default().split_ascii_whitespace();
    let pages = words.find(|word| *word == "mem").and_then(|_| words.next());
    pages.and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE
}
