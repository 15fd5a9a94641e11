//! A connection to a server. It belongs to one client at a time, and to none while it is idle in
//! its worker's pool.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;

use crate::dataplane::relay::Readiness;
use crate::dataplane::server::Server;

/// A connection to a server.
#[derive(Debug)]
pub(in crate::dataplane::worker) struct ServerConnection {
    /// Its place in its worker.
    pub(super) index: u32,
    pub(super) server: Arc<Server>,
    /// The address that it was made to; the server's may change.
    pub(super) address: SocketAddr,
    pub(super) stream: TcpStream,
    pub(super) readiness: Readiness,
    /// Events include writability.
    pub(super) watches_writability: bool,
    /// Nagle's delay is off.
    pub(super) has_nodelay: bool,
    /// The place of the client that it serves; `None` while it is idle.
    pub(super) client: Option<u32>,
    /// Requests before the current one.
    pub(super) uses: u32,
    /// When it became idle, or when the connection attempt began.
    pub(super) since: u64,
    /// How long it may be idle: the node closes it later.
    pub(super) idle_limit: u64,
    /// Nothing followed the last answer.
    pub(super) is_clean: bool,
    /// Bytes that were read and are not used yet: the beginning of a head.
    pub(super) input: Vec<u8>,
}

impl ServerConnection {
    /// Whether it may wait for the next request at `now`.
    pub(super) fn may_be_idle(&self, now: u64) -> bool {
        self.since + self.idle_limit > now && self.server.serves() && self.server.address() == self.address
    }
}
