//! What workers are told by others: data only, as descriptors mean nothing in another thread's table.

use std::io;
use std::sync::{Arc, Mutex};

use mio::Waker;
use tokio::sync::oneshot;

use super::backend::Lease;
use super::layout::Layout;
use super::server::{Server, lock};
use crate::runtime::serve::SessionFigures;

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// What is configured now. Answered when the worker listens where it says.
    Layout(Arc<Layout>, oneshot::Sender<io::Result<()>>),
    /// A session that waited has got a server.
    Served {
        /// Its place.
        index: u32,
        /// Its number.
        serial: u64,
        /// What it got.
        lease: Lease,
    },
    /// All sessions of a server end.
    Cut(Arc<Server>, oneshot::Sender<()>),
    /// One session ends. Answered by whether it was there.
    End(u64, oneshot::Sender<bool>),
    /// What sessions are there?
    List(oneshot::Sender<Vec<SessionFigures>>),
    /// Accept nothing more, and end with the last session.
    Drain,
}

/// One worker's post.
#[derive(Debug)]
pub(crate) struct Inbox {
    worker: u16,
    /// None when the worker has ended.
    orders: Mutex<Option<Vec<Order>>>,
    waker: Waker,
}

impl Inbox {
    pub(crate) fn new(worker: u16, waker: Waker) -> Inbox {
        Inbox {
            worker,
            orders: Mutex::new(Some(Vec::new())),
            waker,
        }
    }

    /// Whose it is.
    pub(crate) const fn worker(&self) -> u16 {
        self.worker
    }

    /// Tells the worker. One that has ended is told nothing: who waits for its answer learns so, and a server that it got
    /// is free again.
    pub(crate) fn post(&self, order: Order) {
        let first = {
            let mut inbox = lock(&self.orders);
            let Some(orders) = inbox.as_mut() else {
                // To drop a lease may post another order, here too.
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
    pub(crate) fn take(&self) -> Vec<Order> {
        lock(&self.orders)
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The worker ends, and reads nothing more.
    pub(crate) fn close(&self) {
        let unread = lock(&self.orders).take();
        drop(unread);
    }
}
