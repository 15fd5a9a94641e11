//! Load from clients. One thread, so that most of the machine is left to the balancer; almost every
//! connection has an address of its own, so that the balancer's tables are used.

pub(crate) mod bulk;
mod client;
mod clients;
pub(crate) mod connects;
pub(crate) mod echo;
mod exchange;
pub(crate) mod held;
pub(crate) mod paced;
mod sources;
pub(crate) mod streams;
pub(crate) mod stuck;
pub(crate) mod uploads;
mod window;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use client::{AsyncClient, Received};
use clients::Clients;

pub(crate) use client::Client;
pub(crate) use exchange::{Answer, Exchange, Protocol};
pub(crate) use sources::Sources;
pub(crate) use window::{Sample, Window};

/// The time limit of any operation.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A balancer as its clients know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service<'a> {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// What they send.
    pub(crate) protocol: &'a Protocol,
}

/// Over TCP: 64 bytes, which come back.
pub(crate) fn tcp() -> Protocol {
    const SIZE: usize = 64;
    Protocol::of(Exchange::new(vec![b'm'; SIZE], Answer::Bytes(SIZE)))
}

/// Connects once, and has one exchange.
pub(crate) fn try_once(service: Service<'_>) -> io::Result<()> {
    Client::connect(service.protocol, Ipv4Addr::LOCALHOST, service.address).map(drop)
}
