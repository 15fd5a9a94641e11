//! The nodes behind every balancer. One thread serves them all, so that most of the machine is left
//! to the balancer; it has a descriptor table of its own, so that the clients have theirs.

mod echo;
mod events;
mod http;
mod server;

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use clusterctl::platform::descriptors;
use mio::Waker;
use mio::net::TcpStream;

pub(crate) use self::echo::Echo;
pub(crate) use self::events::{EVENT_MARK, sent};
pub(crate) use self::http::Http;
use self::server::Server;

/// The number of nodes.
const NODES: usize = 4;
/// What a node does with a connection.
pub(crate) trait Serve: Send + 'static {
    /// Serves `stream`.
    fn new(stream: TcpStream) -> Self;

    /// Reads and writes until it would block. Returns whether the connection goes on. `ended` is
    /// whether the other side has closed its sending side: only then a read that finds nothing is
    /// made.
    fn go_on(&mut self, buffer: &mut [u8], ended: bool) -> io::Result<bool>;

    /// Whether the connection is a stream of events.
    fn is_stream(&self) -> bool {
        false
    }

    /// Sends an event.
    fn send(&mut self, _event: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Running nodes, which serve until this process ends.
pub(crate) struct Nodes {
    /// The address of each.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The time from which the times in events count.
    pub(crate) clock: Instant,
    orders: Sender<Order>,
    waker: Waker,
}

/// Events to send.
enum Order {
    /// One to every stream, now.
    ToEach,
    /// So many, each to the next stream, one after each interval.
    InTurn(usize, Duration),
}

/// Starts the nodes.
pub(crate) fn start<S: Serve>() -> io::Result<Nodes> {
    let (orders, received) = mpsc::channel();
    let (bound, addresses) = mpsc::channel();
    let clock = Instant::now();
    // What both threads use has to be there before they have different descriptor tables.
    let mut server = Server::<S>::new(clock, received)?;
    let waker = server.waker()?;
    thread::Builder::new().name("nodes".to_owned()).spawn(move || {
        // Without a table of its own, fewer connections fit.
        let _shared = descriptors::leave_shared_table();
        let addresses = server.bind();
        let is_bound = addresses.is_ok();
        if bound.send(addresses).is_ok()
            && is_bound
            && let Err(error) = server.serve()
        {
            eprintln!("error: the nodes have failed: {error}");
        }
    })?;
    let addresses = addresses.recv().map_err(io::Error::other)??;
    Ok(Nodes {
        addresses,
        clock,
        orders,
        waker,
    })
}

impl Nodes {
    /// Sends one event to every stream.
    pub(crate) fn send_to_each(&self) -> io::Result<()> {
        self.order(Order::ToEach)
    }

    /// Sends `count` events, each to the next stream, one after each `interval`.
    pub(crate) fn send_in_turn(&self, count: usize, interval: Duration) -> io::Result<()> {
        self.order(Order::InTurn(count, interval))
    }

    // Private

    fn order(&self, order: Order) -> io::Result<()> {
        self.orders.send(order).map_err(io::Error::other)?;
        self.waker.wake()
    }
}
