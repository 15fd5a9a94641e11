//! Limits for one client address in one frontend: concurrent connections, new connections per
//! second, messages per second.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hashbrown::HashTable;

use super::address;
use super::rate::Rate;
use crate::profile::PerIp;

/// Shards: many times the number of threads, so that they rarely contend.
const SHARDS: usize = 64;

/// A shard with fewer visitors is not worth a sweep.
const MIN_SWEPT: usize = 32;

/// The clients of one frontend, IPv6 ones by /64. A client is in the table while it is connected,
/// and until its rates have decayed to 0. Clients that have left are swept out when a shard has
/// doubled since the last sweep, so a table never has more than about twice the clients of the last
/// two seconds.
#[derive(Debug)]
pub(crate) struct ClientLimits {
    shards: Box<[Mutex<Shard>]>,
    limits: Arc<Limits>,
    /// A secret, so that clients cannot choose addresses that share a shard.
    seed: u64,
}

/// One connection of a client; dropping this ends it.
#[derive(Debug)]
pub(crate) struct ClientLease {
    /// `None` for clients without limits.
    entry: Option<Arc<ClientEntry>>,
}

/// The reason why a client is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It has reached its limit of connections.
    TooMany,
    /// It has reached its limit of new connections per second.
    TooFast,
}

/// How many messages [`ClientLease::admit`] lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// How many messages may pass; they are counted.
    pub(crate) passed: u32,
    /// When to retry the other messages; `None` when all may pass.
    pub(crate) again_at: Option<Instant>,
}

/// A client's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientFigures {
    /// Its address; of an IPv6 client the /64.
    pub(crate) client: IpAddr,
    /// Its connections.
    pub(crate) connections: u32,
    /// Its new connections of the last second.
    pub(crate) connection_rate: u32,
    /// Its messages of the last second.
    pub(crate) message_rate: u32,
}

#[derive(Debug)]
struct Limits {
    per_ip: ArcSwap<PerIp>,
    /// A copy of the limit, because every read uses it.
    message_rate: AtomicU32,
    /// The time at which milliseconds begin.
    birth: Instant,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashTable<Arc<ClientEntry>>,
    /// How many clients were left after the last sweep.
    swept: usize,
}

#[derive(Debug)]
struct ClientEntry {
    client: Ipv6Addr,
    connections: AtomicU32,
    connection_rate: Rate,
    message_rate: Rate,
    limits: Arc<Limits>,
}

impl ClientLimits {
    /// An empty table with these `limits`.
    pub(crate) fn new(limits: PerIp) -> ClientLimits {
        ClientLimits {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            limits: Arc::new(Limits {
                message_rate: AtomicU32::new(limits.message_rate),
                per_ip: ArcSwap::from_pointee(limits),
                birth: Instant::now(),
            }),
            seed: RandomState::new().hash_one(0),
        }
    }

    /// Changes the limits. Counts stay, and visits in progress obey the new limits; visits that
    /// began without any limit stay uncounted.
    pub(crate) fn set_limits(&self, limits: PerIp) {
        self.limits
            .message_rate
            .store(limits.message_rate, Ordering::Relaxed);
        self.limits.per_ip.store(Arc::new(limits));
    }

    /// Admits and counts a new connection of `client`; a refused connection is not counted.
    ///
    /// # Errors
    /// If a limit is reached.
    pub(crate) fn enter(&self, client: IpAddr, now: Instant) -> Result<ClientLease, Refused> {
        let limits = self.limits.per_ip.load();
        if !apply(&limits, client) {
            return Ok(ClientLease { entry: None });
        }
        let client = network(client);
        let hash = address::hash(client, self.seed);
        let now_ms = self.limits.ms(now);
        let mut shard = self.shard(hash);
        let known = shard.entries.find(hash, |entry| entry.client == client);
        if let Some(entry) = known {
            if !entry.connection_rate.has_room(limits.connection_rate, now_ms) {
                return Err(Refused::TooFast);
            }
            let connections = entry.connections.load(Ordering::Relaxed);
            if limits.connections > 0 && connections >= limits.connections {
                return Err(Refused::TooMany);
            }
        }
        let entry = known.cloned().unwrap_or_else(|| {
            let entry = Arc::new(ClientEntry::new(client, Arc::clone(&self.limits)));
            shard.insert(Arc::clone(&entry), hash, now_ms, |client| {
                address::hash(client, self.seed)
            });
            entry
        });
        // It grows only here, under the shard's lock.
        entry.connections.fetch_add(1, Ordering::Relaxed);
        entry.connection_rate.tick(now_ms);
        Ok(ClientLease { entry: Some(entry) })
    }

    /// The figures of every client in the table.
    pub(crate) fn entries(&self, now: Instant) -> Vec<ClientFigures> {
        let now_ms = self.limits.ms(now);
        let mut all = Vec::new();
        for shard in self.every_shard() {
            let present = shard.entries.iter().filter(|entry| !entry.is_gone(now_ms));
            all.extend(present.map(|entry| entry.figures(now_ms)));
        }
        all
    }

    /// Removes the clients that have left. The limits do not need it; it frees memory after a rush.
    pub(crate) fn sweep(&self, now: Instant) {
        let now_ms = self.limits.ms(now);
        for mut shard in self.every_shard() {
            shard.sweep(now_ms, |client| address::hash(client, self.seed));
        }
    }

    /// The number of clients in the table, including some that have left.
    pub(crate) fn len(&self) -> usize {
        self.every_shard().map(|shard| shard.entries.len()).sum()
    }

    // Private

    /// The shard of a hash; by bits in its middle, because the shard's table uses the upper and
    /// lower ones.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[(hash >> 32) as usize % SHARDS])
    }

    fn every_shard(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(lock)
    }
}

impl ClientLease {
    /// How many of `messages` may pass now. When only some may, the caller holds the others back
    /// until the returned time, and then calls again.
    pub(crate) fn admit(&self, messages: u32, now: Instant) -> Admitted {
        let Some(entry) = &self.entry else {
            return Admitted {
                passed: messages,
                again_at: None,
            };
        };
        let limits = &entry.limits;
        let limit = limits.message_rate.load(Ordering::Relaxed);
        let passed = entry.message_rate.admit(messages, limit, limits.ms(now));
        Admitted {
            passed: passed.events,
            again_at: passed.again_at.map(|ms| limits.birth + Duration::from_millis(ms)),
        }
    }

    /// Whether messages are limited, so that they must be counted.
    pub(crate) fn counts_messages(&self) -> bool {
        self.entry
            .as_ref()
            .is_some_and(|entry| entry.limits.message_rate.load(Ordering::Relaxed) > 0)
    }
}

impl Drop for ClientLease {
    fn drop(&mut self) {
        if let Some(entry) = &self.entry {
            entry.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

// Private

impl Limits {
    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.birth).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Shard {
    fn insert(
        &mut self,
        entry: Arc<ClientEntry>,
        hash: u64,
        now_ms: u64,
        rehash: impl Fn(Ipv6Addr) -> u64 + Copy,
    ) {
        if self.entries.len() >= 2 * self.swept + MIN_SWEPT {
            self.sweep(now_ms, rehash);
        }
        self.entries
            .insert_unique(hash, entry, |entry| rehash(entry.client));
    }

    fn sweep(&mut self, now_ms: u64, rehash: impl Fn(Ipv6Addr) -> u64) {
        self.entries.retain(|entry| !entry.is_gone(now_ms));
        self.swept = self.entries.len();
        if self.entries.capacity() > 4 * (self.swept + MIN_SWEPT) {
            self.entries
                .shrink_to(2 * self.swept, |entry| rehash(entry.client));
        }
    }
}

impl ClientEntry {
    fn new(client: Ipv6Addr, limits: Arc<Limits>) -> ClientEntry {
        ClientEntry {
            client,
            connections: AtomicU32::new(0),
            connection_rate: Rate::default(),
            message_rate: Rate::default(),
            limits,
        }
    }

    /// Whether the client left long enough ago that none of its counts matter.
    fn is_gone(&self, now_ms: u64) -> bool {
        self.connections.load(Ordering::Relaxed) == 0
            && self.connection_rate.is_quiet(now_ms)
            && self.message_rate.is_quiet(now_ms)
    }

    fn figures(&self, now_ms: u64) -> ClientFigures {
        ClientFigures {
            client: IpAddr::V6(self.client).to_canonical(),
            connections: self.connections.load(Ordering::Relaxed),
            connection_rate: self.connection_rate.per_second(now_ms),
            message_rate: self.message_rate.per_second(now_ms),
        }
    }
}

/// Whether any limit applies to `client`.
fn apply(limits: &PerIp, client: IpAddr) -> bool {
    let client = client.to_canonical();
    (limits.connections, limits.connection_rate, limits.message_rate) != (0, 0, 0)
        && !limits.exempt.iter().any(|network| network.contains(client))
}

/// The unit that is counted for a client: its address; for IPv6 the /64 that one customer gets.
fn network(client: IpAddr) -> Ipv6Addr {
    match client.to_canonical() {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64),
        four @ IpAddr::V4(_) => address::mapped(four),
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // No code in here leaves the data half changed if it panics.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
