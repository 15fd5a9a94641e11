//! Deadlines of one worker's sessions.

use std::collections::BTreeSet;

/// Deadlines by place.
#[derive(Debug)]
pub(crate) struct Wheel {
    at: Vec<Option<u64>>,
    order: BTreeSet<(u64, u32)>,
}

impl Wheel {
    pub(crate) fn new(_now: u64) -> Wheel {
        Wheel {
            at: Vec::new(),
            order: BTreeSet::new(),
        }
    }

    pub(crate) fn arm(&mut self, index: u32, at: u64) {
        self.disarm(index);
        let place = index as usize;
        if place >= self.at.len() {
            self.at.resize(place + 1, None);
        }
        self.at[place] = Some(at);
        self.order.insert((at, index));
    }

    pub(crate) fn disarm(&mut self, index: u32) {
        if let Some(at) = self.at.get_mut(index as usize).and_then(Option::take) {
            self.order.remove(&(at, index));
        }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.order.first().map(|(at, _)| *at)
    }

    pub(crate) fn expire(&mut self, now: u64, expired: &mut Vec<u32>) {
        while let Some((at, index)) = self.order.first().copied().filter(|(at, _)| *at <= now) {
            self.order.remove(&(at, index));
            self.at[index as usize] = None;
            expired.push(index);
        }
    }
}
