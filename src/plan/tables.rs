//! Threads with descriptor tables of their own ([`crate::workers`]), which hold together what one table cannot.

use crate::platform::Host;

/// More threads help nobody.
pub(super) const MAX_WORKERS: u64 = 64;

/// Descriptors of one worker's runtime, which every table has.
const RUNTIME: u64 = 6;
/// Enough for any worker. Without a finite limit some programs (BEAM is one) make tables of gigabytes.
const PLENTY: u64 = 1 << 20;

/// Workers and what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tables {
    /// `RLIMIT_NOFILE` of each.
    pub(super) nofile: u64,
    /// How many; at least one.
    pub(super) workers: u16,
    /// Descriptors of connections in all of them.
    pub(super) held: u64,
}

/// Who fills the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// The kernel, which spreads connections over the listeners of the workers by a hash, not evenly: to three quarters.
    ByHash,
    /// The program itself, each with as many as the others: to nine tenths.
    Evenly,
}

impl Tables {
    /// As few workers as hold `wanted` descriptors of connections, but at least `least`, and at most 64. Where no number of
    /// them holds all, the one that holds most. `own` is what is open in each table besides.
    pub(super) fn plan(wanted: u64, own: u64, least: u64, filled: Filled, host: &Host) -> Tables {
        let nofile = host.nofile.min(PLENTY);
        let held = |workers: u64| {
            let (part, whole) = filled.share();
            nofile.saturating_sub(own + RUNTIME * workers) * part / whole * workers
        };
        let workers = (least.clamp(1, MAX_WORKERS)..=MAX_WORKERS)
            .find(|workers| held(*workers) >= wanted)
            .or_else(|| (1..=MAX_WORKERS).rev().max_by_key(|workers| held(*workers)))
            .unwrap_or(1);
        Tables {
            nofile,
            workers: u16::try_from(workers).unwrap_or(1),
            held: held(workers),
        }
    }

    /// The `RLIMIT_NOFILE` with which as many workers as there may be hold `wanted` descriptors of connections.
    pub(super) fn least_nofile(wanted: u64, own: u64, filled: Filled) -> u64 {
        Tables::least_of(
            u16::try_from(MAX_WORKERS).unwrap_or(u16::MAX),
            wanted,
            own,
            filled,
        )
    }

    /// The `RLIMIT_NOFILE` with which so many `workers` hold `wanted` descriptors of connections.
    pub(super) fn least_of(workers: u16, wanted: u64, own: u64, filled: Filled) -> u64 {
        let (workers, (part, whole)) = (u64::from(workers.max(1)), filled.share());
        // Rounded as `plan` does: a table holds whole connections only.
        let held = wanted.div_ceil(workers);
        (held * whole).div_ceil(part) + RUNTIME * workers + own
    }
}

impl Filled {
    /// To how much of it a table is planned to be filled.
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
