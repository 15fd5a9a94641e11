//! What a thread that waits in its own poller is told by others: data only, as descriptors mean nothing in another
//! thread's table.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::{Poll, Token, Waker};

/// One worker's post: orders that it reads when its poller wakes it.
#[derive(Debug)]
pub struct Inbox<Order> {
    worker: u16,
    /// None when the worker has ended.
    orders: Mutex<Option<Vec<Order>>>,
    waker: Waker,
}

/// Where a worker reads its post. However it goes, nobody is left to wait for an answer: the inbox is closed then.
#[derive(Debug)]
pub struct Desk<Order>(Arc<Inbox<Order>>);

impl<Order> Inbox<Order> {
    /// The post of `worker`, which waits in `poll` and knows by `token` that something came. To be made before any
    /// worker leaves the shared descriptor table: so whoever wakes it writes to what the waker's number means there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(worker: u16, poll: &Poll, token: Token) -> io::Result<Inbox<Order>> {
        Ok(Inbox {
            worker,
            orders: Mutex::new(Some(Vec::new())),
            waker: Waker::new(poll.registry(), token)?,
        })
    }

    /// Whose it is.
    #[must_use]
    pub const fn worker(&self) -> u16 {
        self.worker
    }

    /// Tells the worker. One that has ended is told nothing: the order is dropped, by which whoever waits for its answer
    /// learns so.
    pub fn post(&self, order: Order) {
        let first = {
            let mut inbox = self.lock();
            let Some(orders) = inbox.as_mut() else {
                // To drop an order may post another one, here too.
                drop(inbox);
                return drop(order);
            };
            orders.push(order);
            orders.len() == 1
        };
        // Whoever came before has woken it, and it has not looked yet.
        if first && let Err(error) = self.waker.wake() {
            tracing::error!(worker = self.worker, %error, "cannot wake the worker");
        }
    }

    /// All that came.
    pub fn take(&self) -> Vec<Order> {
        self.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Where its worker reads it.
    #[must_use]
    pub fn desk(self: &Arc<Self>) -> Desk<Order> {
        Desk(Arc::clone(self))
    }

    // Private

    /// The worker ends, and reads nothing more.
    fn close(&self) {
        let unread = self.lock().take();
        drop(unread);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Order>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Order> Desk<Order> {
    /// All that came.
    #[must_use]
    pub fn take(&self) -> Vec<Order> {
        self.0.take()
    }
}

impl<Order> Drop for Desk<Order> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn who_has_left_its_desk_leaves_nobody_waiting() {
        let poll = Poll::new().unwrap();
        let inbox = Arc::new(Inbox::new(0, &poll, Token(0)).unwrap());
        let desk = inbox.desk();
        let (reply, mut answer) = oneshot::channel::<()>();
        inbox.post(reply);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        drop(desk);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        let (reply, mut answer) = oneshot::channel::<()>();
        inbox.post(reply);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
