//! The lines of one worker that are not written yet.

use std::sync::Mutex;

use crate::dataplane::server::lock;

/// The most bytes that wait for the writer.
const MAX_BYTES: usize = 2 << 20;

/// The lines of one worker that are not written yet. The lock is held for a copy only.
#[derive(Debug, Default)]
pub(super) struct Lane(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Lines that had no room.
    dropped: u64,
}

/// What adding lines has made of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// It had lines before.
    Some,
    /// These are its first lines.
    First,
    /// It has become half full.
    Half,
    /// They had no room, and were dropped.
    Full,
}

impl Lane {
    /// Adds lines, or drops them; `bytes` is empty afterwards.
    pub(super) fn add(&self, bytes: &mut Vec<u8>, lines: u32) -> Filled {
        let mut waiting = lock(&self.0);
        let (before, after) = (waiting.bytes.len(), waiting.bytes.len() + bytes.len());
        if after > MAX_BYTES {
            waiting.dropped += u64::from(lines);
        } else {
            waiting.bytes.extend_from_slice(bytes);
        }
        drop(waiting);
        bytes.clear();
        match (before, after) {
            _ if after > MAX_BYTES => Filled::Full,
            (0, _) => Filled::First,
            _ if before < MAX_BYTES / 2 && after >= MAX_BYTES / 2 => Filled::Half,
            _ => Filled::Some,
        }
    }

    /// Exchanges the lines for an empty buffer.
    pub(super) fn take(&self, empty: &mut Vec<u8>) {
        std::mem::swap(&mut lock(&self.0).bytes, empty);
    }

    /// How many lines were dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut lock(&self.0).dropped)
    }

    /// Frees the memory of an empty buffer.
    pub(super) fn shrink(&self) {
        let mut waiting = lock(&self.0);
        if waiting.bytes.is_empty() {
            waiting.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_drops_lines_and_counts_them() {
        let lane = Lane::default();
        let add = |size: usize, lines| {
            let mut bytes = vec![b'x'; size];
            let filled = lane.add(&mut bytes, lines);
            assert!(bytes.is_empty());
            filled
        };
        assert_eq!(add(10, 1), Filled::First);
        assert_eq!(add(10, 1), Filled::Some);
        assert_eq!(add(MAX_BYTES / 2, 1), Filled::Half);
        assert_eq!(add(MAX_BYTES / 2 - 20, 1), Filled::Some);
        assert_eq!(add(1, 3), Filled::Full);
        assert_eq!(add(1, 4), Filled::Full);
        assert_eq!((lane.take_dropped(), lane.take_dropped()), (7, 0));
        let mut buffer = Vec::new();
        lane.take(&mut buffer);
        assert_eq!(buffer.len(), MAX_BYTES);
        buffer.clear();
        lane.take(&mut buffer);
        assert!(buffer.is_empty());
        assert_eq!(add(1, 1), Filled::First);
    }
}
