//! Messages for a client, queued until they are sent.
//!
//! Queueing a message never waits. So the queue is bounded: without a reader, the oldest messages
//! are dropped, and a reader that is too slow is cut off.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// The limit of messages that wait without a reader.
const BACKLOG: Limit = Limit {
    messages: 16,
    bytes: 16 * 1024,
};
/// The limit of messages that wait for the current reader.
const QUEUE: Limit = Limit {
    messages: 1024,
    bytes: 1024 * 1024,
};

/// Messages to one client, as JSON.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<State>);

/// Takes the messages. An outbox has one reader, the newest one: the previous one ends.
#[derive(Debug)]
pub(super) struct Reader {
    outbox: Arc<Outbox>,
    bell: Arc<Bell>,
}

/// Wakes a reader, and ends its connection if it does not read.
#[derive(Debug, Default)]
pub(super) struct Bell {
    something: Notify,
    cut: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    bytes: usize,
    /// The current reader.
    reader: Option<Arc<Bell>>,
    ended: bool,
}

/// The limit may be reached, not exceeded, so that a large message fits too.
struct Limit {
    messages: usize,
    bytes: usize,
}

impl Outbox {
    /// Queues a message. Returns whether it may ever be read.
    pub(super) fn put(&self, json: impl Into<Bytes>) -> bool {
        let mut state = self.state();
        if state.ended {
            return false;
        }
        if let Some(reader) = &state.reader
            && state.reaches(&QUEUE)
        {
            reader.cut.notify_one();
            state.leave();
            return false;
        }
        while state.reader.is_none() && state.reaches(&BACKLOG) {
            state.take();
        }
        state.put(json.into());
        true
    }

    /// Becomes the reader. `bell` wakes or ends its connection.
    pub(super) fn open(self: &Arc<Self>, bell: Arc<Bell>) -> Reader {
        let mut state = self.state();
        if let Some(before) = state.reader.replace(Arc::clone(&bell)) {
            before.something.notify_one();
        }
        drop(state);
        Reader {
            outbox: Arc::clone(self),
            bell,
        }
    }

    /// Marks the end of the messages.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        if let Some(reader) = &state.reader {
            reader.something.notify_one();
        }
    }

    // Private

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// The next message; `None` after the last one, or if there is a newer reader.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            {
                let mut state = self.outbox.state();
                if !state.is_read_by(&self.bell) {
                    return None;
                }
                if let Some(json) = state.take() {
                    return Some(json);
                }
                if state.ended {
                    return None;
                }
            }
            self.bell.something.notified().await;
        }
    }

    /// A message that is queued already.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let mut state = self.outbox.state();
        if state.is_read_by(&self.bell) {
            state.take()
        } else {
            None
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.outbox.state();
        if state.is_read_by(&self.bell) {
            state.reader = None;
        }
    }
}

impl Bell {
    /// Waits until the reader is cut off.
    pub(super) async fn cut(&self) {
        self.cut.notified().await;
    }
}

// Private

impl State {
    fn reaches(&self, limit: &Limit) -> bool {
        self.queue.len() >= limit.messages || self.bytes >= limit.bytes
    }

    fn put(&mut self, json: Bytes) {
        self.bytes += json.len();
        self.queue.push_back(json);
        if let Some(reader) = &self.reader {
            reader.something.notify_one();
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let json = self.queue.pop_front()?;
        self.bytes -= json.len();
        if self.queue.is_empty() {
            // An idle client costs no buffer.
            self.queue = VecDeque::new();
        }
        Some(json)
    }

    /// The reader has gone, and its unsent messages are dropped.
    fn leave(&mut self) {
        self.reader = None;
        self.queue = VecDeque::new();
        self.bytes = 0;
    }

    fn is_read_by(&self, bell: &Arc<Bell>) -> bool {
        self.reader
            .as_ref()
            .is_some_and(|reader| Arc::ptr_eq(reader, bell))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn outbox() -> Arc<Outbox> {
        Arc::default()
    }

    #[tokio::test]
    async fn messages_wait_for_a_reader() {
        let outbox = outbox();
        for number in 0..20u8 {
            assert!(outbox.put(vec![number]));
        }
        let mut reader = outbox.open(Arc::default());
        for number in 4..20u8 {
            assert_eq!(reader.next().await.unwrap(), [number].as_slice());
        }
        assert_eq!(reader.next().now_or_never(), None);
        outbox.put("more");
        assert_eq!(reader.next().await.unwrap(), "more");
    }

    #[tokio::test]
    async fn the_newest_reader_is_the_only_one() {
        let outbox = outbox();
        let mut first = outbox.open(Arc::default());
        assert_eq!(first.next().now_or_never(), None);
        let mut second = outbox.open(Arc::default());
        assert_eq!(first.next().await, None);
        drop(first);
        outbox.put("x");
        assert_eq!(second.next().await.unwrap(), "x");
        outbox.end();
        assert_eq!(second.next().await, None);
        assert!(!outbox.put("y"));
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_is_cut_off() {
        let outbox = outbox();
        let bell = Arc::<Bell>::default();
        let mut reader = outbox.open(Arc::clone(&bell));
        for _ in 0..QUEUE.messages {
            assert!(outbox.put("x"));
        }
        assert_eq!(bell.cut().now_or_never(), None);
        assert!(!outbox.put("x"));
        bell.cut().await;
        assert_eq!(reader.next().await, None);

        let mut reader = outbox.open(Arc::default());
        assert!(outbox.put(vec![b'x'; 2 * QUEUE.bytes]));
        assert_eq!(reader.next().await.unwrap().len(), 2 * QUEUE.bytes);
    }
}
