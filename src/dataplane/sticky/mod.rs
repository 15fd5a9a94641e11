//! Which server a client had: bounded, forgetting, and asked by every thread.
//!
//! ```text
//! client --hash--> shard, one of up to 64, each behind a lock of its own
//!                  shard: index (hash -> place)  +  places, chained from the longest unused to the last used
//! ```
//!
//! `size` is split evenly over the shards, so the bound holds always; a full shard makes room by forgetting the client
//! that it has not seen for longest. Shards have room for at least 512 clients each, so that how unevenly hashes fall
//! costs little: of the last `size` clients, a table remembers about 99 % (98 % where it has few shards).
//! A client takes 43 bytes in a full table (58 as the process grows), and none before it is there.

mod shard;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::address;
use shard::{Shard, Tick};

/// The most shards; many times the threads, so that they seldom meet.
const MAX_SHARDS: u64 = 64;

/// What a shard has room for at least, in tables of more than one.
const MIN_SHARD: u64 = 512;

/// The clients of one backend and their servers' ids.
#[derive(Debug)]
pub(crate) struct StickyTable {
    shards: Box<[Mutex<Shard>]>,
    size: u64,
    expire: Duration,
    /// Ticks are counted from here.
    birth: Instant,
    /// A secret, so that nobody can choose addresses that share a shard.
    seed: u64,
}

impl StickyTable {
    /// An empty table that remembers up to `size` clients, each for `expire` after it was last seen.
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

    /// Lets `choose` decide for `client`: it is given the server remembered, and returns the one to use, which is
    /// remembered from now on; when it returns none, everything stays as it was. The client's shard is locked meanwhile,
    /// so that two first connections of one client get the same server: `choose` must be short, and must not come back
    /// to this table.
    pub(crate) fn settle<T>(
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

    /// The server remembered for `client`, and for how much longer.
    #[cfg(test)]
    pub(crate) fn remembered(&self, client: IpAddr, now: Instant) -> Option<(u32, Duration)> {
        let (client, hash) = self.key(client);
        let mut shard = self.shard(hash);
        let place = shard.find(client, hash, self.tick(now))?;
        Some((shard.server(place), self.left(shard.until(place), now)))
    }

    /// Remembers what another table did, or this one in an earlier life: clients, their servers, and for how much
    /// longer; never longer than this table's own. For a table that is not in use yet: the longest unused come first.
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

    /// Every client with its server and for how much longer it is remembered; within a shard the longest unused first.
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

    /// Forgets `client`; says whether it was remembered.
    pub(crate) fn forget(&self, client: IpAddr) -> bool {
        let (client, hash) = self.key(client);
        let mut shard = self.shard(hash);
        // Expired or not: at the beginning of time nothing is.
        let found = shard.find(client, hash, Tick::default());
        if let Some(place) = found {
            shard.remove(place, hash);
        }
        found.is_some()
    }

    /// Forgets the clients of which `goes` says so of their server, as when it is drained; how many.
    pub(crate) fn forget_servers(&self, goes: impl Fn(u32) -> bool) -> usize {
        let hash = |client| address::hash(client, self.seed);
        self.every_shard()
            .map(|mut shard| shard.remove_where(&goes, hash))
            .sum()
    }

    /// Forgets those whose time is over, in time proportional to their number. Lookups do not need it; memory does.
    pub(crate) fn sweep(&self, now: Instant) {
        let tick = self.tick(now);
        for mut shard in self.every_shard() {
            shard.expire(tick, |client| address::hash(client, self.seed));
        }
    }

    /// How many clients it holds, among them ones whose time is over and whom nobody met since.
    pub(crate) fn len(&self) -> usize {
        self.every_shard().map(|shard| shard.len()).sum()
    }

    /// How many it has room for.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// A number that is another one whenever something was remembered anew, refreshed or forgotten.
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

    /// The shard of a hash; by bits in its middle, because the shard's index goes by the upper and lower ones.
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
