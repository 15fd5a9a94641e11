//! A connected client.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::phase::{Event, HEAD_TIMEOUT, Phase};
use super::stream::ClientStream;
use crate::platform::listen::Slot;

/// A connected client: the phase of its connection, and the slot that it may lose.
#[derive(Debug)]
pub struct Client {
    slot: Slot,
    /// The timeout between two requests.
    idle_timeout: Duration,
    phase: Mutex<Phase>,
}

/// A request of a client. It ends when this is dropped: its answer is complete then.
#[derive(Debug)]
pub struct Request {
    client: Arc<Client>,
}

impl Client {
    /// A client that has just connected.
    #[must_use]
    pub fn new(slot: Slot, idle_timeout: Duration) -> Arc<Client> {
        let since = Instant::now();
        slot.set_idle(since);
        Arc::new(Client {
            slot,
            idle_timeout,
            phase: Mutex::new(Phase::Head { since }),
        })
    }

    /// The stream of its connection, watched so that the phase follows what happens on it.
    pub fn watch<S: std::os::fd::AsFd>(self: &Arc<Self>, stream: S) -> ClientStream<S> {
        ClientStream::new(stream, Arc::clone(self))
    }

    /// A request, whose head is complete. Its body may follow.
    pub fn request(self: &Arc<Self>) -> Request {
        self.note(Event::HeadComplete);
        Request {
            client: Arc::clone(self),
        }
    }

    /// The current request is there as a whole, and is served now: until it ends, the connection
    /// keeps its slot. Returns false if the connection has to end; then the request must not be served.
    #[must_use]
    pub fn keep_slot(&self) -> bool {
        self.note(Event::RequestComplete)
    }

    /// Waits until the connection has to end: the client took too long, or another client needs its
    /// slot. Has to be polled again after the connection was.
    pub async fn must_end(&self) {
        let mut given_away = pin!(self.slot.given_away());
        let mut timeout = pin!(sleep_until(Instant::now() + HEAD_TIMEOUT));
        poll_fn(|cx| {
            if given_away.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let Some(deadline) = self.phase().deadline(self.idle_timeout) else {
                return Poll::Pending;
            };
            if timeout.deadline() != deadline {
                timeout.as_mut().reset(deadline);
            }
            timeout.as_mut().poll(cx)
        })
        .await;
    }

    /// Whether the connection is new, or a request has begun to arrive.
    #[must_use]
    pub fn awaits_request(&self) -> bool {
        matches!(self.phase(), Phase::Head { .. })
    }

    // Private

    pub(super) fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what has happened. Returns false if the connection has to end.
    pub(super) fn note(&self, event: Event) -> bool {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let next = phase.after(event, Instant::now());
        if next == *phase {
            return true;
        }
        *phase = next;
        match next.waits_since() {
            Some(since) => {
                self.slot.set_idle(since);
                true
            }
            None => self.slot.set_busy(),
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.client.note(Event::Answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_server::phase::WRITE_TIMEOUT;
    use crate::platform::listen::Slots;

    const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

    fn client(slots: &Slots) -> Arc<Client> {
        Client::new(slots.take().unwrap(), IDLE_TIMEOUT)
    }

    async fn end(client: &Client) -> Duration {
        let began = Instant::now();
        client.must_end().await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_timeout() {
        let slots = Slots::new("x", 1);
        let client = client(&slots);
        assert_eq!(end(&client).await, HEAD_TIMEOUT);
        let request = client.request();
        assert!(client.keep_slot());
        let day = Duration::from_hours(24);
        assert!(tokio::time::timeout(day, client.must_end()).await.is_err());
        drop(request);
        assert_eq!(end(&client).await, WRITE_TIMEOUT);
        client.note(Event::Wrote);
        assert_eq!(end(&client).await, WRITE_TIMEOUT);
        client.note(Event::Flushed);
        assert_eq!(end(&client).await, IDLE_TIMEOUT);
        client.note(Event::Read);
        assert_eq!(end(&client).await, HEAD_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_without_its_slot_must_end_at_once() {
        let slots = Slots::new("x", 1);
        let first = client(&slots);
        let _request = first.request();
        let _second = slots.take().unwrap();
        assert!(!first.keep_slot());
        assert_eq!(end(&first).await, Duration::ZERO);
    }
}
