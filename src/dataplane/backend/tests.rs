//! Stress tests of data that threads share.

use std::sync::atomic::AtomicBool;
use std::thread;

use mio::{Poll, Token};

use super::*;
use crate::dataplane::inbox::{Inbox, Order};
use crate::dataplane::server::Event;
use crate::dataplane_config::{DataplaneQuestion, DataplaneServer};
use crate::haproxy_api::ServerState;
use std::net::IpAddr;

const THREADS: u16 = 8;
const ROUNDS: u64 = 2_000;
const DEADLINE: Duration = Duration::from_mins(1);

fn server(id: u32, maxconn: u32) -> Arc<Server> {
    let config = DataplaneServer {
        name: format!("s{id}"),
        id,
        address: ([127, 0, 0, 1], 1).into(),
        weight: 100,
        maxconn,
        question: DataplaneQuestion::Tcp,
        check_path: DataplaneServer::default_check_path(),
        check_address: None,
        added: None,
    };
    Arc::new(Server::new(config, ServerState::Ready, THREADS, Instant::now()))
}

pub(crate) fn backend(servers: &[Arc<Server>]) -> Arc<Backend> {
    let config = DataplaneBackend {
        name: "nodes".into(),
        algorithm: crate::profile::Algorithm::Leastconn,
        http: None,
        sticky: None,
        queue: 1_000,
        slowstart: crate::base::units::Period::default(),
        check: None,
        track: None,
        eject_after: 0,
        eject_errors: None,
        servers: servers
            .iter()
            .map(|server| server.config().as_ref().clone())
            .collect(),
    };
    let pool = Pool {
        config,
        servers: servers.to_vec(),
        sticky: None,
        tracks: None,
    };
    Arc::new(Backend::new(2, pool, 1, THREADS, Clock::new()))
}

/// One worker's part: it requests a server, waits when it must, sometimes leaves the queue, and
/// never holds more than one place.
fn work(worker: u16, backend: &Arc<Backend>, held: &[AtomicU32; 2]) {
    let poll = Poll::new().unwrap();
    let inbox = Arc::new(Inbox::new(worker, &poll, Token(0)).unwrap());
    let client = ClientKey::from(IpAddr::from([10, 0, 0, u8::try_from(worker).unwrap()]));
    for serial in 0..ROUNDS {
        let waiter = || Waiter {
            worker: inbox.clone(),
            index: 0,
            serial,
            client,
            server: None,
            since: 0,
        };
        let lease = match backend.assign(client, None, &[], waiter) {
            Assigned::Server(lease) => lease,
            Assigned::Nothing => panic!("one server always serves, and the queue is long"),
            Assigned::Wait if serial % 7 == 0 && backend.remove_waiter(worker, serial) => continue,
            Assigned::Wait => served(&inbox, serial),
        };
        let nth = usize::try_from(lease.server().id).unwrap() - 1;
        let now = held[nth].fetch_add(1, SeqCst) + 1;
        assert!(now <= [2, 1][nth], "server {nth} has {now}");
        thread::yield_now();
        held[nth].fetch_sub(1, SeqCst);
        drop(lease);
    }
}

fn served(inbox: &Inbox, serial: u64) -> Lease {
    let began = Instant::now();
    loop {
        if let Some(order) = inbox.take().pop() {
            let Order::Served {
                serial: its, lease, ..
            } = order
            else {
                panic!("{order:?} for {serial}");
            };
            assert_eq!(its, serial);
            return lease;
        }
        assert!(began.elapsed() < DEADLINE, "{serial} was forgotten in the queue");
        thread::yield_now();
    }
}

#[test]
fn many_threads_share_few_slots_and_no_client_is_forgotten() {
    let servers = [server(1, 2), server(2, 1)];
    let backend = backend(&servers);
    let held = [AtomicU32::new(0), AtomicU32::new(0)];
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // The second server is drained and enabled again continuously; each change then serves the
        // queue.
        scope.spawn(|| {
            for state in [ServerState::Drain, ServerState::Ready].into_iter().cycle() {
                servers[1].apply_event(Event::AdminStateSet(state), &backend.clock);
                backend.serve_waiting();
                if done.load(SeqCst) {
                    break;
                }
                thread::yield_now();
            }
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let (backend, held) = (&backend, &held);
                scope.spawn(move || work(worker, backend, held))
            })
            .collect();
        let outcomes: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, SeqCst);
        assert!(outcomes.iter().all(Result::is_ok));
    });
    assert_eq!(
        (backend.waiting.load(SeqCst), backend.counters.queued.get()),
        (0, 0)
    );
    for server in &servers {
        assert_eq!(
            (server.candidate(0).sessions, server.counters.sessions.get()),
            (0, 0)
        );
    }
}

#[test]
fn a_worker_that_has_ended_keeps_no_slot() {
    let servers = [server(1, 1)];
    let backend = backend(&servers);
    let poll = Poll::new().unwrap();
    let inbox = Arc::new(Inbox::new(0, &poll, Token(0)).unwrap());
    let client = ClientKey::from(IpAddr::from([10, 0, 0, 1]));
    let assign = |serial| {
        backend.assign(client, None, &[], || Waiter {
            worker: inbox.clone(),
            index: 0,
            serial,
            client,
            server: None,
            since: 0,
        })
    };
    let first = assign(1);
    assert!(matches!(assign(2), Assigned::Wait));
    assert!(matches!(assign(3), Assigned::Wait));
    drop(first);
    // The second waiter has got the place, but its notification is never read; the third is
    // notified too late.
    drop(inbox.reader());
    assert!(servers[0].has_room());
    assert_eq!(backend.counters.queued.get(), 0);
}
