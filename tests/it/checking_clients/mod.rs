//! Clients that check what a change of the balancer costs: some open new connections at a steady
//! rate, others hold connections, sessions and streams. Each fault is classified, and the whole is
//! a [`Report`].
//!
//! A client that is refused or cut connects again, so that one fault is counted once.

mod failure;
pub(crate) mod head;
mod http;
mod line;
mod new;
mod report;
mod session;
mod shared;
mod stateless;
mod stream;
mod tcp;
mod websocket;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use failure::Failure;
pub use failure::FaultKind;
use http::Http;
pub use report::Report;
use session::{Kept, Session};
use shared::Shared;
use stateless::Stateless;
use stream::{Events, Stream};
use tcp::Tcp;
use websocket::WebSocket;

/// Longer than a connection waits in the queue of a listener while a balancer is started again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);
/// The longest time in which all held clients go on, on a busy machine.
const PROGRESS_TIMEOUT: Duration = Duration::from_mins(2);
/// Time between two questions to `/ready`.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// The listeners of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    pub tcp: SocketAddr,
    pub http: SocketAddr,
    pub websocket: SocketAddr,
    pub sse: SocketAddr,
}

/// What the clients do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// New connections per second.
    pub rate: u32,
    /// Clients that hold something.
    pub held: u32,
    /// Time between two exchanges of a held client.
    pub pause: Duration,
    /// The time after which the clients end by themselves.
    pub lifetime: Duration,
    /// The page that is asked each second whether new connections are welcome; `None` for clients
    /// that do not ask.
    pub ready: Option<SocketAddr>,
}

/// Clients at work. They end when this is dropped.
#[must_use]
pub struct CheckingClients {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// A client that holds something.
trait Held: Send + 'static {
    /// What it is called in the report.
    const NAME: &'static str;

    /// One exchange. What is missing for it is opened first.
    fn round(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Passes the time between two exchanges.
    fn pause(&mut self, shared: &Shared, time: Duration) -> impl Future<Output = ()> + Send {
        shared.sleep(time)
    }

    /// Drops what a fault has broken.
    fn reset(&mut self, kind: FaultKind);
}

impl Targets {
    /// The listeners of a profile with default ports, shifted by `offset`.
    pub fn of(offset: u16) -> Targets {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port + offset));
        Targets {
            tcp: at(8000),
            http: at(8080),
            websocket: at(8001),
            sse: at(8002),
        }
    }
}

impl Load {
    /// So many new connections per second, and so many held clients, for ten minutes at most.
    pub const fn new(rate: u32, held: u32) -> Load {
        Load {
            rate,
            held,
            pause: Duration::from_secs(1),
            lifetime: Duration::from_mins(10),
            ready: None,
        }
    }
}

impl CheckingClients {
    /// Starts them.
    pub fn start(targets: Targets, load: Load) -> CheckingClients {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let shared = Arc::new(Shared::new(targets, load));
        for number in 0..load.held {
            hold(&runtime, &shared, number);
        }
        runtime.spawn(new::run(Arc::clone(&shared)));
        if let Some(ready) = load.ready {
            // Decides before the first client connects.
            runtime.block_on(probe(&shared, ready));
            let shared = Arc::clone(&shared);
            runtime.spawn(async move {
                while !shared.has_enough() {
                    tokio::time::sleep(PROBE_INTERVAL).await;
                    probe(&shared, ready).await;
                }
            });
        }
        CheckingClients {
            shared,
            runtime: Some(runtime),
        }
    }

    /// Waits until each held client has had so many exchanges more, and as many new connections
    /// were answered as are opened in that time.
    pub fn go_on(&self, rounds: u64) {
        let shared = &self.shared;
        let wanted: Vec<u64> = shared.rounds().map(|done| done + rounds).collect();
        let pause = shared.load.pause.as_millis();
        let new = u128::from(shared.load.rate) * u128::from(rounds) * pause / 2_000;
        let answered = shared.report().answered() + u64::try_from(new).unwrap();
        let deadline = Instant::now() + PROGRESS_TIMEOUT;
        loop {
            let all = shared.rounds().zip(&wanted).all(|(done, wanted)| done >= *wanted);
            if all && shared.report().answered() >= answered {
                return;
            }
            let late = shared
                .rounds()
                .zip(&wanted)
                .filter(|(done, wanted)| done < *wanted);
            assert!(
                Instant::now() < deadline && !shared.has_enough(),
                "{} held clients do not go on; {}",
                late.count(),
                shared.report()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The report so far.
    pub fn report(&self) -> Report {
        self.shared.report()
    }

    /// Ends the clients: exchanges in progress are completed first.
    pub fn stop(mut self) -> Report {
        self.shared.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.block_on(self.shared.all_ended());
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
        self.shared.report()
    }
}

impl Drop for CheckingClients {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

// Private

/// Starts the held client of this number. Of twenty, eight hold a TCP connection, five a session or
/// a cookie, two nothing but their address, four a stream, one a WebSocket.
fn hold(runtime: &Runtime, shared: &Arc<Shared>, number: u32) {
    let source = source(61, number);
    let Targets {
        tcp,
        http,
        websocket,
        sse,
    } = shared.targets;
    let requests = |target| Http::new(shared, source, target);
    match number % 20 {
        0..8 => drop(runtime.spawn(run(shared, number, Tcp::new(source, tcp)))),
        8..11 => drop(runtime.spawn(run(shared, number, Session::new(requests(http))))),
        11..13 => drop(runtime.spawn(run(shared, number, Kept::new(requests(http))))),
        13..15 => drop(runtime.spawn(run(shared, number, Stateless::new(requests(http))))),
        15..17 => drop(runtime.spawn(run(shared, number, Stream::new(Session::new(requests(http)))))),
        17..19 => drop(runtime.spawn(run(shared, number, Events::new(requests(sse))))),
        _ => drop(runtime.spawn(run(shared, number, WebSocket::new(source, websocket)))),
    }
}

/// Goes from round to round until there is enough.
fn run<H: Held>(shared: &Arc<Shared>, number: u32, mut held: H) -> impl Future<Output = ()> + Send + use<H> {
    let shared = Arc::clone(shared);
    async move {
        let _place = shared.begin();
        // Clients do not all begin at the same moment.
        let pause = shared.load.pause;
        shared.sleep(pause * number / shared.load.held.max(1)).await;
        // Since when the client has been without a connection that should live.
        let mut lost = None;
        while !shared.has_enough() {
            if !shared.is_welcome() {
                shared.sleep(pause).await;
                continue;
            }
            let round = tokio::time::timeout(ANSWER_TIMEOUT, held.round()).await;
            match round.unwrap_or_else(|_| Err(Failure::timed_out())) {
                Ok(()) => {
                    shared.went_on(H::NAME, number);
                    if let Some(since) = lost.take() {
                        shared.came_back(since);
                    }
                }
                Err(failure) => {
                    held.reset(failure.kind);
                    let is_first = failure.kind == FaultKind::Cut && lost.is_none();
                    shared.failed(format!("held {} {number}", H::NAME), failure);
                    if is_first {
                        // It connects again at once.
                        lost = Some(Instant::now());
                        shared.lost();
                        continue;
                    }
                }
            }
            held.pause(&shared, pause).await;
        }
    }
}

/// An address of this host, of the network 127.`network`.0.0/16.
fn source(network: u8, number: u32) -> IpAddr {
    let part = |number: u32| u8::try_from(number % 250).unwrap() + 1;
    Ipv4Addr::new(127, network, part(number / 250), part(number)).into()
}

/// Asks whether new connections are welcome.
async fn probe(shared: &Arc<Shared>, ready: SocketAddr) {
    let mut page = Http::new(shared, Ipv4Addr::LOCALHOST.into(), ready);
    let asked = tokio::time::timeout(PROBE_INTERVAL, page.send("GET /ready", "", ""));
    let is_ready = matches!(asked.await, Ok(Ok(answer)) if answer.head.status == 200);
    shared.set_welcome(is_ready);
}
