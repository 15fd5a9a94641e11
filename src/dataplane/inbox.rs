//! Orders that other threads send to a worker.

use std::io;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::backend::{Lease, Notify};
use super::server::Server;
use super::topology::Layout;
use crate::haproxy_api::server::SessionFigures;

/// An order to a worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// The configuration now in force. Answered when the worker listens on its addresses.
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
pub(crate) type Inbox = crate::workers::Inbox<Order>;

impl Notify for Inbox {
    fn worker(&self) -> u16 {
        crate::workers::Inbox::worker(self)
    }

    fn served(&self, index: u32, serial: u64, lease: Lease) {
        self.post(Order::Served { index, serial, lease });
    }
}
