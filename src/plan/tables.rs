//! Threads with their own descriptor tables ([`crate::workers`]), which together hold what one
//! table cannot.

use std::ops::RangeInclusive;

use crate::platform::Host;

/// More threads bring no benefit.
pub(super) const MAX_WORKERS: u64 = 64;

/// Descriptors of one worker's runtime, which are open in every table.
const RUNTIME: u64 = 6;
/// Enough for any worker. Without a finite limit some programs (such as BEAM) allocate tables of
/// gigabytes.
const PLENTY: u64 = 1 << 20;

/// The workers and what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tables {
    /// `RLIMIT_NOFILE` of each worker.
    pub(super) nofile: u64,
    /// The number of workers; at least one.
    pub(super) workers: u16,
    /// Descriptors of connections in all tables together.
    pub(super) held: u64,
}

/// What fills the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// The kernel, which spreads connections over the listeners of the workers by a hash, and so
    /// unevenly: tables are planned to be filled to three quarters.
    ByHash,
    /// The program itself, evenly: tables are planned to be filled to nine tenths.
    Evenly,
}

impl Tables {
    /// The smallest number of workers that hold `wanted` descriptors of connections, but at least
    /// `least`, and at most 64. If no number is enough, the number that holds the most. `own` is
    /// the number of other descriptors in each table.
    pub(super) fn plan(wanted: u64, own: u64, least: u64, filled: Filled, host: &Host) -> Tables {
        Tables::among(1..=MAX_WORKERS, wanted, own, least, filled, host)
    }

    /// As many workers as [`Tables::plan`] finds, but never a number outside `allowed`, which is
    /// not empty and begins at 1 or later.
    pub(super) fn among(
        allowed: RangeInclusive<u64>,
        wanted: u64,
        own: u64,
        least: u64,
        filled: Filled,
        host: &Host,
    ) -> Tables {
        let nofile = host.nofile.min(PLENTY);
        let held = |workers: u64| {
            let (part, whole) = filled.share();
            nofile.saturating_sub(own + RUNTIME * workers) * part / whole * workers
        };
        let (fewest, most) = (*allowed.start(), *allowed.end());
        let workers = (least.clamp(fewest, most)..=most)
            .find(|workers| held(*workers) >= wanted)
            .or_else(|| allowed.rev().max_by_key(|workers| held(*workers)))
            .unwrap_or(fewest);
        Tables {
            nofile,
            workers: u16::try_from(workers).unwrap_or(1),
            held: held(workers),
        }
    }

    /// The `RLIMIT_NOFILE` with which the greatest number of workers holds `wanted` descriptors of
    /// connections.
    pub(super) fn least_nofile(wanted: u64, own: u64, filled: Filled) -> u64 {
        Tables::least_of(
            u16::try_from(MAX_WORKERS).unwrap_or(u16::MAX),
            wanted,
            own,
            filled,
        )
    }

    /// The `RLIMIT_NOFILE` with which this number of `workers` holds `wanted` descriptors of
    /// connections.
    pub(super) fn least_of(workers: u16, wanted: u64, own: u64, filled: Filled) -> u64 {
        let (workers, (part, whole)) = (u64::from(workers.max(1)), filled.share());
        // Rounded as in `plan`: a table holds whole connections only.
        let held = wanted.div_ceil(workers);
        (held * whole).div_ceil(part) + RUNTIME * workers + own
    }
}

impl Filled {
    /// The share of a table that is planned to be filled.
    const fn share(self) -> (u64, u64) {
        match self {
            Filled::ByHash => (3, 4),
            Filled::Evenly => (9, 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::big_host;
    use super::*;

    #[test]
    fn each_worker_holds_whole_connections() {
        // 64 workers hold 1,377 each, and not 1,377.02.
        let wanted = 64 * 1_377 + 1;
        let nofile = Tables::least_nofile(wanted, 0, Filled::ByHash);
        let host = Host { nofile, ..big_host() };
        assert!(Tables::plan(wanted, 0, 2, Filled::ByHash, &host).held >= wanted);
    }

    proptest! {
        #[test]
        fn a_low_limit_is_made_up_for_by_workers(wanted in 1..500_000_u64, own in 0..200_u64, spare in 0..5_000_u64, even: bool) {
            let filled = if even { Filled::Evenly } else { Filled::ByHash };
            let (part, whole) = filled.share();
            let host = Host { nofile: Tables::least_nofile(wanted, own, filled) + spare, ..big_host() };
            let tables = Tables::plan(wanted, own, 2, filled, &host);
            prop_assert!(tables.held >= wanted, "{tables:?}");
            let fewer = Tables { workers: tables.workers - 1, ..tables };
            let table = host.nofile - own - RUNTIME * u64::from(fewer.workers);
            prop_assert!(tables.workers == 2 || table * part / whole * u64::from(fewer.workers) < wanted);
        }
    }
}
