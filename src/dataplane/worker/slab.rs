//! The places of a worker's connections. A place is reused, but never while events of its former
//! owner may still be read.

/// Places of items, numbered from 0.
#[derive(Debug)]
pub(super) struct Slab<T> {
    held: Vec<Option<Box<T>>>,
    vacant: Vec<u32>,
    /// Vacated since the current batch of events was collected.
    vacated: Vec<u32>,
    count: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab {
            held: Vec::new(),
            vacant: Vec::new(),
            vacated: Vec::new(),
            count: 0,
        }
    }
}

impl<T> Slab<T> {
    /// A vacant place, for [`Slab::put`].
    pub(super) fn vacant(&mut self) -> u32 {
        self.count += 1;
        self.vacant.pop().unwrap_or_else(|| {
            self.held.push(None);
            u32::try_from(self.held.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Takes an item out to work on it; then it is put back or its place is vacated.
    pub(super) fn take(&mut self, index: u32) -> Option<Box<T>> {
        self.held.get_mut(index as usize)?.take()
    }

    /// Puts an item into its place.
    pub(super) fn put(&mut self, index: u32, item: Box<T>) {
        if let Some(place) = self.held.get_mut(index as usize) {
            *place = Some(item);
        }
    }

    /// The item at a place.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.held.get(index as usize)?.as_deref()
    }

    /// The item at a place, to be changed.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.held.get_mut(index as usize)?.as_deref_mut()
    }

    /// Frees the place of an item that was taken out.
    pub(super) fn vacate(&mut self, index: u32) {
        self.count -= 1;
        self.vacated.push(index);
    }

    /// Records that all collected events have been handled.
    pub(super) fn all_read(&mut self) {
        self.vacant.append(&mut self.vacated);
    }

    /// The number of items.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// All items in their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.held.iter().flatten().map(|item| &**item)
    }
}
