//! Orders to a thread that waits in its own poller: data only, because descriptors are not valid in
//! another thread's table.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::{Poll, Token, Waker};

/// The sending side of a worker's inbox: orders that the worker reads when its poller wakes it.
#[derive(Debug)]
pub struct Inbox<Order> {
    worker: u16,
    /// `None` if the worker has ended.
    orders: Mutex<Option<Vec<Order>>>,
    waker: Waker,
}

/// The worker's side of its inbox. Dropping it closes the inbox, so that no sender waits for an
/// answer in vain.
#[derive(Debug)]
pub struct InboxReader<Order>(Arc<Inbox<Order>>);

impl<Order> Inbox<Order> {
    /// The inbox of `worker`, which waits in `poll` and gets an event with `token` for new orders.
    /// It must be created before any worker leaves the shared descriptor table, so that the waker's
    /// descriptor number is valid in every table.
    ///
    /// If the kernel refuses.
    pub fn new(worker: u16, poll: &Poll, token: Token) -> io::Result<Inbox<Order>> {
        Ok(Inbox {
            worker,
            orders: Mutex::new(Some(Vec::new())),
            waker: Waker::new(poll.registry(), token)?,
        })
    }

    /// The worker that reads it.
    #[must_use]
    pub const fn worker(&self) -> u16 {
        self.worker
    }

    /// Sends an order to the worker. If the worker has ended, the order is dropped, and with it the
    /// channel for its answer.
    pub fn post(&self, order: Order) {
        let first = {
            let mut inbox = self.lock();
            let Some(orders) = inbox.as_mut() else {
                // Dropping an order can post another one, even to this inbox.
                drop(inbox);
                return drop(order);
            };
            orders.push(order);
            orders.len() == 1
        };
        // An earlier order has already woken the worker, and is not read yet.
        if first && let Err(error) = self.waker.wake() {
            tracing::error!(worker = self.worker, %error, "cannot wake the worker");
        }
    }

    /// Takes all orders that have arrived.
    pub fn take(&self) -> Vec<Order> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The worker's end of the inbox.
    #[must_use]
    pub fn reader(self: &Arc<Self>) -> InboxReader<Order> {
        InboxReader(Arc::clone(self))
    }

    // Private

    /// Closes the inbox when the worker ends.
    fn close(&self) {
        let unread = self.lock().take();
        drop(unread);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Order>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Order> InboxReader<Order> {
    /// Takes all orders that have arrived.
    #[must_use]
    pub fn take(&self) -> Vec<Order> {
        self.0.take()
    }
}

impl<Order> Drop for InboxReader<Order> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn a_dropped_reader_drops_the_orders() {
        let poll = Poll::new().unwrap();
        let inbox = Arc::new(Inbox::new(0, &poll, Token(0)).unwrap());
        let reader = inbox.reader();
        let (reply, mut answer) = oneshot::channel::<()>();
        inbox.post(reply);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        drop(reader);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        let (reply, mut answer) = oneshot::channel::<()>();
        inbox.post(reply);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
