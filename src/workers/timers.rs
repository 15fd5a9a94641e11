//! Timers of one thread's connections: a timer wheel with almost free turns and updates.

/// A hashed timer wheel over slab indices. A slot is 50 ms; the wheel goes round in 51 s, and its
/// entries are chained through one array, so that arming and disarming take a few writes and never
/// allocate per timer.
///
/// Most deadlines are moved on long before they expire: each byte moves a connection's deadline. So
/// an entry that moves later stays in its slot, and is moved only when the wheel reaches it; the
/// same holds for a deadline that is further away than one round of the wheel. A deadline never
/// expires early, and is late by less than a slot.
#[derive(Debug)]
pub struct Wheel {
    /// When tick 0 was, in milliseconds.
    birth_ms: u64,
    /// The last tick whose slot was emptied.
    turned: u32,
    /// The first entry of each slot.
    slots: Box<[u32; SLOTS as usize]>,
    /// A bit for each slot that has an entry.
    occupied: [u64; WORDS],
    entries: Vec<Entry>,
}

/// The state of an index in the wheel.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The tick at which it is due.
    due: u32,
    /// The tick whose slot contains the entry: not after `due`; [`NONE`] if it is not armed.
    hung: u32,
    previous: u32,
    next: u32,
}

/// Milliseconds of a tick.
const TICK_MS: u64 = 50;
const SLOTS: u32 = 1_024;
/// Slots per word of bits.
const WORD: usize = u64::BITS as usize;
const WORDS: usize = SLOTS as usize / WORD;
/// No index, or no tick.
const NONE: u32 = u32::MAX;

const IDLE: Entry = Entry {
    due: NONE,
    hung: NONE,
    previous: NONE,
    next: NONE,
};

impl Wheel {
    /// A wheel that begins to turn at `now_ms`.
    #[must_use]
    pub fn new(now_ms: u64) -> Wheel {
        Wheel {
            birth_ms: now_ms,
            turned: 0,
            slots: Box::new([NONE; SLOTS as usize]),
            occupied: [0; WORDS],
            entries: Vec::new(),
        }
    }

    /// Sets or replaces the deadline of `index`; one in the past expires with the next turn.
    pub fn arm(&mut self, index: u32, at_ms: u64) {
        let due = self.tick_after(at_ms).max(self.turned + 1);
        if self.entries.len() <= index as usize {
            self.entries.resize(index as usize + 1, IDLE);
        }
        let entry = &mut self.entries[index as usize];
        if entry.hung <= due {
            entry.due = due;
        } else {
            // It is in a later slot, or in none.
            self.unhang(index);
            self.hang(index, due);
        }
    }

    /// Removes the deadline of `index`, if it has one.
    pub fn disarm(&mut self, index: u32) {
        if (index as usize) < self.entries.len() {
            self.unhang(index);
        }
    }

    /// When to call [`Wheel::expire`] next: no later than the first deadline, and now and then
    /// before it.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        let first = self.turned + 1;
        let (word, bit) = (slot(first) / WORD, slot(first) % WORD);
        // The first slot's word comes twice: its upper bits first, its lower ones last.
        let words = (0..=WORDS).map(|nth| {
            let mask = match nth {
                0 => u64::MAX << bit,
                WORDS => !(u64::MAX << bit),
                _ => u64::MAX,
            };
            let word = (word + nth) % WORDS;
            (word, self.occupied[word] & mask)
        });
        let (word, bits) = words.into_iter().find(|(_, bits)| *bits != 0)?;
        let slot = word * WORD + bits.trailing_zeros() as usize;
        let ahead = (slot + SLOTS as usize - self::slot(first)) % SLOTS as usize;
        Some(self.birth_ms + (u64::from(first) + ahead as u64) * TICK_MS)
    }

    /// Turns the wheel to `now_ms`, and appends the indices whose deadline has passed to `expired`;
    /// they are no longer armed.
    pub fn expire(&mut self, now_ms: u64, expired: &mut Vec<u32>) {
        let now = self.tick_before(now_ms);
        // After a long sleep one round is enough.
        let slots = now.saturating_sub(self.turned).min(SLOTS);
        let first = self.turned + 1;
        self.turned = self.turned.max(now);
        for slot in (first..first + slots).map(slot) {
            self.occupied[slot / WORD] &= !(1 << (slot % WORD));
            let mut index = std::mem::replace(&mut self.slots[slot], NONE);
            while index != NONE {
                let entry = std::mem::replace(&mut self.entries[index as usize], IDLE);
                if entry.due <= now {
                    expired.push(index);
                } else {
                    self.hang(index, entry.due);
                }
                index = entry.next;
            }
        }
    }

    // Private

    /// Puts an entry that is in no slot into the slot of its deadline, or into the furthest slot
    /// before it.
    fn hang(&mut self, index: u32, due: u32) {
        let hung = due.min(self.turned + SLOTS);
        let slot = slot(hung);
        self.occupied[slot / WORD] |= 1 << (slot % WORD);
        let next = std::mem::replace(&mut self.slots[slot], index);
        if next != NONE {
            self.entries[next as usize].previous = index;
        }
        self.entries[index as usize] = Entry {
            due,
            hung,
            previous: NONE,
            next,
        };
    }

    /// Removes an entry from the chain of its slot, if it is in one.
    fn unhang(&mut self, index: u32) {
        let Entry {
            hung, previous, next, ..
        } = std::mem::replace(&mut self.entries[index as usize], IDLE);
        if hung == NONE {
            return;
        }
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
        if previous != NONE {
            self.entries[previous as usize].next = next;
            return;
        }
        let slot = slot(hung);
        self.slots[slot] = next;
        if next == NONE {
            self.occupied[slot / WORD] &= !(1 << (slot % WORD));
        }
    }

    /// The first tick at or after `at_ms`; before [`NONE`], which is seven years away.
    fn tick_after(&self, at_ms: u64) -> u32 {
        let ticks = at_ms.saturating_sub(self.birth_ms).div_ceil(TICK_MS);
        u32::try_from(ticks).unwrap_or(NONE).min(NONE - 1)
    }

    /// The last tick at or before `now_ms`.
    fn tick_before(&self, now_ms: u64) -> u32 {
        let ticks = now_ms.saturating_sub(self.birth_ms) / TICK_MS;
        u32::try_from(ticks).unwrap_or(NONE).min(NONE - 1 - SLOTS)
    }
}

const fn slot(tick: u32) -> usize {
    (tick % SLOTS) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Arm(u32, u64),
        Disarm(u32),
        Wait(u64),
        /// Sleeps until the time that the wheel returns.
        Sleep,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let ahead = || prop_oneof![Just(0), 0u64..200, 0u64..60_000, 50_000u64..52_500, 0u64..400_000];
        let step = prop_oneof![
            6 => (0u32..20, ahead()).prop_map(|(index, ahead)| Step::Arm(index, ahead)),
            1 => (0u32..25).prop_map(Step::Disarm),
            2 => ahead().prop_map(Step::Wait),
            3 => Just(Step::Sleep),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_map(birth in 0u64..1 << 40, steps in steps()) {
            let (mut wheel, mut map) = (Wheel::new(birth), BTreeMap::new());
            let mut now = birth;
            for step in steps {
                match step {
                    Step::Arm(index, ahead) => {
                        wheel.arm(index, now + ahead);
                        map.insert(index, now + ahead);
                    }
                    Step::Disarm(index) => {
                        wheel.disarm(index);
                        map.remove(&index);
                    }
                    Step::Wait(ms) => now += ms,
                    Step::Sleep => now = wheel.next().unwrap_or(now).max(now),
                }
                let mut expired = Vec::new();
                wheel.expire(now, &mut expired);
                for index in &expired {
                    let at: Option<u64> = map.remove(index);
                    prop_assert!(at.is_some_and(|at| at <= now), "{index} was due at {at:?}, not at {now}");
                }
                // A deadline is late by less than a slot, and a thread that sleeps as long as the
                // wheel returns is in time.
                let first = map.values().min();
                prop_assert!(first.is_none_or(|first| now < first + TICK_MS), "{first:?} is late at {now}");
                prop_assert_eq!(wheel.next().is_some(), first.is_some());
                if let (Some(next), Some(first)) = (wheel.next(), first) {
                    prop_assert!(now < next && next < (*first).max(now) + 2 * TICK_MS, "{next} for {first} at {now}");
                }
            }
        }
    }

    #[test]
    fn a_deadline_that_keeps_moving_costs_one_wakeup_per_round() {
        let mut wheel = Wheel::new(0);
        let (mut wakeups, mut expired) = (0, Vec::new());
        for ms in 0..300_000 {
            wheel.arm(7, ms + 300_000);
            if wheel.next().is_some_and(|next| next <= ms) {
                wakeups += 1;
                wheel.expire(ms, &mut expired);
            }
        }
        assert!(expired.is_empty());
        assert!(wakeups <= 6, "{wakeups}");
    }

    #[test]
    fn after_a_long_sleep_all_expire_at_once() {
        let mut wheel = Wheel::new(1_000);
        (0..5_000).for_each(|index| wheel.arm(index, 1_000 + u64::from(index) * 100));
        let mut expired = Vec::new();
        wheel.expire(10_000_000, &mut expired);
        expired.sort_unstable();
        assert_eq!(expired, (0..5_000).collect::<Vec<_>>());
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_timer_takes_sixteen_bytes() {
        assert_eq!(size_of::<Entry>(), 16);
    }
}
