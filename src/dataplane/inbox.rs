//! Orders that other threads send to a worker.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::backend::{Lease, Notify};
use super::server::Server;
use super::topology::Topology;
use crate::haproxy_api::server::SessionFigures;

/// An order to a worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// The configuration in force. The answer comes when the worker listens on its addresses.
    Topology(Arc<Topology>, oneshot::Sender<io::Result<()>>),
    /// A session in the queue has got a server.
    Served {
        /// The session's place.
        index: u32,
        /// The session's number.
        serial: u64,
        /// The place at the server.
        lease: Lease,
    },
    /// End all sessions of a server.
    ShutdownSessions(Arc<Server>, oneshot::Sender<()>),
    /// End one session. The answer is whether it existed.
    ShutdownSession(u64, oneshot::Sender<bool>),
    /// List the sessions.
    List(oneshot::Sender<Vec<SessionFigures>>),
    /// Log the requests in progress, because the process ends.
    LogRequests(oneshot::Sender<()>),
    /// Answer, to show that the worker does its turns. A worker that has ended drops it.
    Turn(oneshot::Sender<()>),
    /// Accept nothing more, and end with the last session. The answer comes when the listeners are
    /// closed.
    Drain(oneshot::Sender<()>),
    /// Close the clients that are left evenly over this time; after a drain.
    Close(Duration, oneshot::Sender<()>),
}

/// The sending side of a worker's inbox.
pub(crate) type Inbox = crate::workers::Inbox<Order>;

impl Notify for Inbox {
    fn worker(&self) -> u16 {
        crate::workers::Inbox::worker(self)
    }

    fn served(&self, index: u32, serial: u64, lease: Lease) {
        self.post(Order::Served { index, serial, lease });
    }
}
