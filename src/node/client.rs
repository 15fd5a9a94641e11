//! A client's state in a node: one per connection, or one per session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::outbox::Outbox;
use crate::mcp::{Id, Level, Notification};

/// A client.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// Messages to send to it.
    pub(super) outbox: Arc<Outbox>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The lowest log level that it wants to receive.
    level: Level,
    /// Its requests that are not answered yet.
    running: Vec<(Id, Arc<Notify>)>,
}

/// A request that is not answered yet.
#[derive(Debug)]
pub(super) struct Running {
    client: Arc<Client>,
    cancel: Arc<Notify>,
}

impl Client {
    /// A client without a session: it has no stream for unrequested messages.
    pub(super) fn passing() -> Arc<Client> {
        let client = Client::default();
        client.outbox.end();
        Arc::new(client)
    }

    /// Sets the lowest log level that it wants to receive.
    pub(super) fn set_level(&self, level: Level) {
        self.known().level = level;
    }

    /// Queues a log message, if the client wants its level. Returns whether it may ever be read.
    pub(super) fn notify(&self, level: Level, logger: &str, text: &str) -> bool {
        if level < self.known().level {
            return false;
        }
        let message = Notification::Message {
            level,
            logger,
            data: text,
        };
        self.outbox.put(message.to_json())
    }

    /// Registers a request that takes time.
    pub(super) fn begin(self: &Arc<Self>, id: Id) -> Running {
        let cancel = Arc::new(Notify::new());
        self.known().running.push((id, Arc::clone(&cancel)));
        Running {
            client: Arc::clone(self),
            cancel,
        }
    }

    /// The number of its requests that are not answered yet.
    pub(super) fn running(&self) -> usize {
        self.known().running.len()
    }

    /// Cancels a request: the client does not need the answer any more.
    pub(super) fn cancel(&self, id: &Id) {
        for (running, cancel) in &self.known().running {
            if running == id {
                cancel.notify_one();
            }
        }
    }

    /// Ends the client: its requests need no answers, and its queued messages are dropped.
    pub(super) fn end(&self) {
        self.outbox.end();
        for (_, cancel) in &self.known().running {
            cancel.notify_one();
        }
    }

    // Private

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Waits until the client cancels the request.
    pub(super) async fn cancelled(&self) {
        self.cancel.notified().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut known = self.client.known();
        known
            .running
            .retain(|(_, cancel)| !Arc::ptr_eq(cancel, &self.cancel));
        if known.running.is_empty() {
            known.running = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_client_receives_messages_of_its_level() {
        let client = Client::default();
        assert!(client.notify(Level::Info, "n", "x"));
        assert!(!client.notify(Level::Debug, "n", "x"));
        client.set_level(Level::Error);
        assert!(!client.notify(Level::Warning, "n", "x"));
        assert!(client.notify(Level::Emergency, "n", "x"));
        assert!(!Client::passing().notify(Level::Info, "n", "x"));
    }

    #[tokio::test]
    async fn only_the_named_request_is_cancelled() {
        let client = Arc::new(Client::default());
        let one = client.begin(Id::null());
        let mine = Arc::new(Client::default());
        mine.cancel(&Id::null());
        assert_eq!(one.cancelled().now_or_never(), None);
        client.cancel(&Id::null());
        one.cancelled().await;
        assert_eq!(client.running(), 1);
        drop(one);
        assert_eq!(client.running(), 0);
    }
}
