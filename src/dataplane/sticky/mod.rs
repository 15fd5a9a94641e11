//! The server of each client: limited in size, with expiry, shared by all threads.
//!
//! ```text
//! client --hash--> shard, one of up to 64, each behind a lock of its own
//!                  shard: index (hash -> place)  +  places, chained from the longest unused to the last used
//! ```
//!
//! `size` is split evenly over the shards, so the bound always holds; a full shard makes room by
//! removing its longest unused client. Shards have room for at least 512 clients each, so that the
//! uneven spread of hashes costs little: of the last `size` clients, a table remembers about 99 %
//! (98 % where it has few shards). A client takes 43 bytes in a full table (58 as the process
//! grows); memory is taken only for clients that exist.

mod shard;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::address;
use shard::{Shard, Tick};

/// The most shards: many times the number of threads, so that they rarely contend.
const MAX_SHARDS: u64 = 64;

/// The least size of a shard, in tables with more than one.
const MIN_SHARD: u64 = 512;

/// The clients of one backend and their servers' ids.
#[derive(Debug)]
pub(crate) struct StickyTable {
    shards: Box<[Mutex<Shard>]>,
    size: u64,
    expire: Duration,
    /// The time at which ticks begin.
    birth: Instant,
    /// A secret, so that clients cannot choose addresses that share a shard.
    seed: u64,
}

impl StickyTable {
    /// An empty table that remembers up to `size` clients, each for `expire` after its last use.
    pub(crate) fn new(size: u64, expire: Duration) -> StickyTable {
        let count = (size / MIN_SHARD).clamp(1, MAX_SHARDS);
        let shards = (0..count).map(|nth| {
            let room = size / count + u64::from(nth < size % count);
            Mutex::new(Shard::new(room))
        });
        StickyTable {
            shards: shards.collect(),
            size,
            expire,
            birth: Instant::now(),
            seed: RandomState::new().hash_one(0),
        }
    }

    /// Lets `choose` decide for `client`: it gets the remembered server, and returns the one to
    /// use, which is remembered from now on; when it returns none, the table stays unchanged. The
    /// client's shard is locked meanwhile, so that two first connections of one client get the same
    /// server: `choose` must be short, and must not call this table.
    pub(crate) fn assign<T>(
        &self,
        client: IpAddr,
        now: Instant,
        choose: impl FnOnce(Option<u32>) -> Option<(u32, T)>,
    ) -> Option<T> {
        let (client, hash) = self.key(client);
        let tick = self.tick(now);
        let mut shard = self.shard(hash);
        let found = shard.find(client, hash, tick);
        let remembered = found.map(|place| shard.server(place));
        let (server, chosen) = choose(remembered)?;
        let until = self.tick_after(now, self.expire);
        match found {
            Some(place) => shard.refresh(place, server, until),
            None => shard.insert(client, server, until, hash, |client| {
                address::hash(client, self.seed)
            }),
        }
        Some(chosen)
    }

    /// The server remembered for `client`, and the remaining time.
    #[cfg(test)]
    pub(crate) fn remembered(&self, client: IpAddr, now: Instant) -> Option<(u32, Duration)> {
        let (client, hash) = self.key(client);
        let mut shard = self.shard(hash);
        let place = shard.find(client, hash, self.tick(now))?;
        Some((shard.server(place), self.left(shard.until(place), now)))
    }

    /// Imports entries of another table or of an earlier process: clients, their servers, and the
    /// remaining time, at most this table's own expiry. Only for a table that is not in use yet, in
    /// order from the longest unused client on.
    pub(crate) fn import(&self, clients: impl IntoIterator<Item = (IpAddr, u32, Duration)>, now: Instant) {
        let mut clients: Vec<_> = clients.into_iter().collect();
        clients.sort_by_key(|(_, _, left)| *left);
        for (client, server, left) in clients {
            let (client, hash) = self.key(client);
            let until = self.tick_after(now, left.min(self.expire));
            let mut shard = self.shard(hash);
            match shard.find(client, hash, self.tick(now)) {
                Some(place) => shard.refresh(place, server, until),
                None => shard.insert(client, server, until, hash, |client| {
                    address::hash(client, self.seed)
                }),
            }
        }
    }

    /// Adds those entries of another process whose client this table lacks, as far as it has room for
    /// them. Returns how many there were. They count as just used, until they expire.
    pub(crate) fn adopt(
        &self,
        clients: impl IntoIterator<Item = (IpAddr, u32, Duration)>,
        now: Instant,
    ) -> usize {
        let mut count = 0;
        for (client, server, left) in clients {
            let (client, hash) = self.key(client);
            let mut shard = self.shard(hash);
            if shard.find(client, hash, self.tick(now)).is_none() && !shard.is_full() {
                let until = self.tick_after(now, left.min(self.expire));
                shard.insert(client, server, until, hash, |client| {
                    address::hash(client, self.seed)
                });
                count += 1;
            }
        }
        count
    }

    /// Every client with its server and the remaining time; within a shard the longest unused
    /// first.
    pub(crate) fn entries(&self, now: Instant) -> Vec<(IpAddr, u32, Duration)> {
        let mut entries = Vec::new();
        for shard in self.every_shard() {
            entries.reserve(shard.len());
            shard.each(|client, server, until| {
                let left = self.left(until, now);
                if !left.is_zero() {
                    entries.push((IpAddr::V6(client).to_canonical(), server, left));
                }
            });
        }
        entries
    }

    /// Removes `client`; returns whether it was remembered.
    pub(crate) fn forget(&self, client: IpAddr) -> bool {
        let (client, hash) = self.key(client);
        let mut shard = self.shard(hash);
        // Expired or not: at tick 0, no entry is expired.
        let found = shard.find(client, hash, Tick::default());
        if let Some(place) = found {
            shard.remove(place, hash);
        }
        found.is_some()
    }

    /// Removes the clients whose server `goes` selects, as when it is drained; returns their
    /// number.
    pub(crate) fn forget_servers(&self, goes: impl Fn(u32) -> bool) -> usize {
        let hash = |client| address::hash(client, self.seed);
        self.every_shard()
            .map(|mut shard| shard.remove_where(&goes, hash))
            .sum()
    }

    /// Removes expired clients, in time proportional to their number. Lookups do not need it; it
    /// frees memory.
    pub(crate) fn sweep(&self, now: Instant) {
        let tick = self.tick(now);
        for mut shard in self.every_shard() {
            shard.expire(tick, |client| address::hash(client, self.seed));
        }
    }

    /// The number of clients in the table, including expired ones that were not looked up since.
    pub(crate) fn len(&self) -> usize {
        self.every_shard().map(|shard| shard.len()).sum()
    }

    /// The most clients in the table.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// A number that changes whenever an entry is added, refreshed or removed.
    pub(crate) fn changed(&self) -> u64 {
        self.every_shard()
            .map(|shard| shard.changes())
            .fold(0, u64::wrapping_add)
    }

    // Private

    fn key(&self, client: IpAddr) -> (Ipv6Addr, u64) {
        let client = address::mapped(client);
        (client, address::hash(client, self.seed))
    }

    /// The shard of a hash; by bits in its middle, because the shard's index uses the upper and
    /// lower ones.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let middle = (hash >> 24) & u64::from(u32::MAX);
        let nth = usize::try_from((middle * self.shards.len() as u64) >> 32).unwrap_or_default();
        lock(&self.shards[nth])
    }

    fn every_shard(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(lock)
    }

    fn tick(&self, now: Instant) -> Tick {
        Tick::before(now.saturating_duration_since(self.birth))
    }

    fn tick_after(&self, now: Instant, time: Duration) -> Tick {
        Tick::after(now.saturating_duration_since(self.birth).saturating_add(time))
    }

    fn left(&self, until: Tick, now: Instant) -> Duration {
        let left = until
            .since_birth()
            .saturating_sub(now.saturating_duration_since(self.birth));
        left.min(self.expire)
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A panic in `choose` leaves the shard as it was.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
