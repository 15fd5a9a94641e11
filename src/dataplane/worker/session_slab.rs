//! The places of a worker's sessions. A place is reused, but never while events of its former
//! session may still be read.

use super::session::Session;

/// Places, numbered from 0.
#[derive(Debug, Default)]
pub(super) struct SessionSlab {
    held: Vec<Option<Box<Session>>>,
    vacant: Vec<u32>,
    /// Vacated since the current batch of events was collected.
    vacated: Vec<u32>,
    count: usize,
}

impl SessionSlab {
    /// A vacant place, for [`SessionSlab::put`].
    pub(super) fn vacant(&mut self) -> u32 {
        self.count += 1;
        self.vacant.pop().unwrap_or_else(|| {
            self.held.push(None);
            u32::try_from(self.held.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Takes a session out to work on it; then it is put back or its place is vacated.
    pub(super) fn take(&mut self, index: u32) -> Option<Box<Session>> {
        self.held.get_mut(index as usize)?.take()
    }

    /// Puts a session into its place.
    pub(super) fn put(&mut self, session: Box<Session>) {
        let index = session.index as usize;
        if let Some(place) = self.held.get_mut(index) {
            *place = Some(session);
        }
    }

    /// Frees the place of a session that was taken out.
    pub(super) fn vacate(&mut self, index: u32) {
        self.count -= 1;
        self.vacated.push(index);
    }

    /// Records that all collected events have been handled.
    pub(super) fn all_read(&mut self) {
        self.vacant.append(&mut self.vacated);
    }

    /// The number of sessions.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// All sessions in their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.held.iter().flatten().map(|session| &**session)
    }
}
