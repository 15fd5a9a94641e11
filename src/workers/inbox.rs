//! What a thread that waits in its own poller is told by others: data only, as descriptors mean nothing in another
//! thread's table.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::{Poll, Token, Waker};

/// One worker's post: orders that it reads when its poller wakes it.
#[derive(Debug)]
pub struct Inbox<Order> {
    worker: u16,
    /// None when the worker has ended.
    orders: Mutex<Option<Vec<Order>>>,
    waker: Waker,
}

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

    /// The worker ends, and reads nothing more.
    pub fn close(&self) {
        let unread = self.lock().take();
        drop(unread);
    }

    // Private

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Order>>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
