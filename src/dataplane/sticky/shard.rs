//! One shard of a sticky table: places in a chain ordered by their last use, and an index to them.

use std::net::Ipv6Addr;
use std::time::Duration;

use hashbrown::HashTable;

/// No place.
const NONE: u32 = u32::MAX;

/// Points in time at a distance of a tenth of a second, from the creation of the table on; enough
/// for 13 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u32);

impl Tick {
    const DURATION: Duration = Duration::from_millis(100);

    /// The last one before or at `time`.
    pub(super) fn before(time: Duration) -> Tick {
        let ticks = time.as_millis() / Tick::DURATION.as_millis();
        Tick(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    /// The first one after or at `time`.
    pub(super) fn after(time: Duration) -> Tick {
        Tick::before(time.saturating_add(Duration::from_nanos(99_999_999)))
    }

    pub(super) fn since_birth(self) -> Duration {
        Tick::DURATION * self.0
    }
}

/// A table of up to `room` clients.
#[derive(Debug)]
pub(super) struct Shard {
    index: HashTable<u32>,
    places: Vec<Place>,
    /// The first free place; the others follow by `next`.
    free: u32,
    /// The place that is unused for the longest time.
    oldest: u32,
    /// The place that was used last.
    newest: u32,
    room: usize,
    changes: u64,
}

#[derive(Debug)]
struct Place {
    client: Ipv6Addr,
    server: u32,
    until: Tick,
    /// The one used before it.
    previous: u32,
    /// The one used after it, or the next free one.
    next: u32,
}

impl Shard {
    /// An empty shard; it has at most 4 billion places, whatever `room` is.
    pub(super) fn new(room: u64) -> Shard {
        Shard {
            index: HashTable::new(),
            places: Vec::new(),
            free: NONE,
            oldest: NONE,
            newest: NONE,
            room: room.min(u64::from(NONE)).try_into().unwrap_or(usize::MAX),
            changes: 0,
        }
    }

    /// The place of `client`. An expired entry is removed.
    pub(super) fn find(&mut self, client: Ipv6Addr, hash: u64, now: Tick) -> Option<u32> {
        let found = self
            .index
            .find(hash, |&at| self.at(at).client == client)
            .copied()?;
        if self.at(found).until > now {
            return Some(found);
        }
        self.remove(found, hash);
        None
    }

    pub(super) fn server(&self, place: u32) -> u32 {
        self.at(place).server
    }

    #[cfg(test)]
    pub(super) fn until(&self, place: u32) -> Tick {
        self.at(place).until
    }

    /// Makes `place` the last used.
    pub(super) fn refresh(&mut self, place: u32, server: u32, until: Tick) {
        self.changes += 1;
        self.unchain(place);
        self.chain(place);
        let at = self.at_mut(place);
        at.server = server;
        at.until = until;
    }

    /// Adds a client that is not in the shard; a full shard replaces its longest unused client.
    /// `rehash` returns the hash of any client.
    pub(super) fn insert(
        &mut self,
        client: Ipv6Addr,
        server: u32,
        until: Tick,
        hash: u64,
        rehash: impl Fn(Ipv6Addr) -> u64,
    ) {
        if self.room == 0 {
            return;
        }
        if self.len() >= self.room {
            let oldest = self.oldest;
            self.remove(oldest, rehash(self.at(oldest).client));
        }
        self.changes += 1;
        let new = Place {
            client,
            server,
            until,
            previous: NONE,
            next: NONE,
        };
        let place = self.take_free(new);
        self.chain(place);
        let places = &self.places;
        self.index
            .insert_unique(hash, place, |&at| rehash(places[at as usize].client));
    }

    /// Removes the client at `place`, whose hash is `hash`.
    pub(super) fn remove(&mut self, place: u32, hash: u64) {
        self.changes += 1;
        if let Ok(entry) = self.index.find_entry(hash, |&at| at == place) {
            entry.remove();
        }
        self.unchain(place);
        self.at_mut(place).next = self.free;
        self.free = place;
    }

    /// Removes the clients of the servers that `goes` selects; returns their number.
    pub(super) fn remove_where(
        &mut self,
        goes: impl Fn(u32) -> bool,
        hash: impl Fn(Ipv6Addr) -> u64,
    ) -> usize {
        let mut removed = 0;
        let mut place = self.oldest;
        while place != NONE {
            let next = self.at(place).next;
            if goes(self.at(place).server) {
                self.remove(place, hash(self.at(place).client));
                removed += 1;
            }
            place = next;
        }
        removed
    }

    /// Removes expired clients, from the longest unused on, up to the first that is not expired.
    pub(super) fn expire(&mut self, now: Tick, hash: impl Fn(Ipv6Addr) -> u64) {
        while self.oldest != NONE && self.at(self.oldest).until <= now {
            self.remove(self.oldest, hash(self.at(self.oldest).client));
        }
        if self.len() == 0 && !self.places.is_empty() {
            // The shard is empty: its memory can be freed.
            self.index = HashTable::new();
            self.places = Vec::new();
            self.free = NONE;
        }
    }

    /// Calls `show` for every client with its server and its time, the longest unused first.
    pub(super) fn each(&self, mut show: impl FnMut(Ipv6Addr, u32, Tick)) {
        let mut place = self.oldest;
        while place != NONE {
            let at = self.at(place);
            show(at.client, at.server, at.until);
            place = at.next;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether a new client would replace another one.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.room
    }

    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    // Private

    fn at(&self, place: u32) -> &Place {
        &self.places[place as usize]
    }

    fn at_mut(&mut self, place: u32) -> &mut Place {
        &mut self.places[place as usize]
    }

    /// Puts `new` where there is room; grows by an eighth, because doubling would leave half of the
    /// memory unused.
    fn take_free(&mut self, new: Place) -> u32 {
        if self.free != NONE {
            let place = self.free;
            self.free = self.at(place).next;
            *self.at_mut(place) = new;
            return place;
        }
        if self.places.len() == self.places.capacity() {
            let more = (self.places.len() / 8).max(4).min(self.room - self.places.len());
            self.places.reserve_exact(more);
        }
        self.places.push(new);
        u32::try_from(self.places.len() - 1).unwrap_or(NONE)
    }

    /// Appends `place` to the end of the chain, as the last used.
    fn chain(&mut self, place: u32) {
        let previous = self.newest;
        self.newest = place;
        match previous {
            NONE => self.oldest = place,
            previous => self.at_mut(previous).next = place,
        }
        let at = self.at_mut(place);
        at.previous = previous;
        at.next = NONE;
    }

    fn unchain(&mut self, place: u32) {
        let &Place { previous, next, .. } = self.at(place);
        match previous {
            NONE => self.oldest = next,
            previous => self.at_mut(previous).next = next,
        }
        match next {
            NONE => self.newest = previous,
            next => self.at_mut(next).previous = previous,
        }
    }
}
