//! A worker with a server that answers at random.

mod server;

use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::load_test::command::Reading;
use crate::load_test::protocol::Protocol;
use crate::mcp::Revision;
use crate::workers::Inbox;
use server::Server;

const CLIENTS: u32 = 20;
/// How long something may take that is immediate on an idle machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// A running worker.
struct Working {
    common: Arc<Common>,
    inbox: Arc<Inbox<Command>>,
    running: JoinHandle<io::Result<Tally>>,
}

fn common(target: SocketAddr, messages_per_second: f64) -> Arc<Common> {
    Arc::new(Common {
        began: Instant::now(),
        target,
        url: Arc::new(TargetUrl {
            protocol: Protocol::Tcp,
            authority: target.to_string(),
            path: Protocol::Tcp.path().to_owned(),
            revision: Revision::NEWEST_WITH_SESSIONS,
            nodes: None,
        }),
        names: Names::default(),
        connections: CLIENTS,
        workers: 1,
        sources: Sources::NONE,
        rate: None,
        messages_per_second,
        timeout: micros(DEADLINE),
        is_remembered: true,
    })
}

fn worker(common: &Arc<Common>) -> (Arc<Inbox<Command>>, Worker) {
    let poll = Poll::new().unwrap();
    let inbox = Arc::new(Inbox::new(0, &poll, EventSource::Inbox.into()).unwrap());
    let worker = Worker::new(0, poll, inbox.reader(), Arc::clone(common)).unwrap();
    (inbox, worker)
}

impl Working {
    /// A worker whose clients are all served.
    fn against(server: &Server, messages_per_second: f64) -> Working {
        Working::begun(common(server.address, messages_per_second))
    }

    fn begun(common: Arc<Common>) -> Working {
        let (inbox, worker) = worker(&common);
        let running = thread::spawn(move || worker.run());
        let working = Working {
            common,
            inbox,
            running,
        };
        working.comes_to(Working::serves_all);
        working
    }

    fn send(&self, command: Command) {
        self.inbox.post(command);
    }

    fn reading(&self) -> Reading {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Report(reply));
        answer.blocking_recv().unwrap()
    }

    /// Waits until a condition is met.
    fn comes_to(&self, end: impl Fn(&Reading) -> bool) {
        let begin = Instant::now();
        loop {
            let reading = self.reading();
            if end(&reading) {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "{reading:?}");
            thread::yield_now();
        }
    }

    fn serves_all(reading: &Reading) -> bool {
        reading.held.iter().sum::<u32>() == CLIENTS && reading.opening == 0
    }

    fn end(self) -> Tally {
        self.send(Command::End);
        self.running.join().unwrap().unwrap()
    }

    /// The messages that are due in this time.
    fn due(&self, from: u64, until: u64) -> u64 {
        let schedule = Schedule::new(self.common.messages_per_second, CLIENTS, 0, 1);
        let of = |seat| {
            let turns = (0..).map_while(move |turn| schedule.due(seat, turn));
            turns
                .take_while(|due| *due < until)
                .filter(|due| *due >= from)
                .count() as u64
        };
        (0..CLIENTS).map(of).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Whatever the server does, each message is counted once, and each client reconnects.
    #[test]
    fn a_message_is_answered_or_not_and_no_client_is_forgotten(seed: u64, settles: bool) {
        let server = Server::new(seed);
        let hasty = Common {
            timeout: 150_000,
            ..Arc::into_inner(common(server.address, 2_000.0)).unwrap()
        };
        let working = Working::begun(Arc::new(hasty));
        server.go_wild(true);
        let posted = working.common.now();
        working.send(Command::Hold(posted));
        working.reading();
        let received = working.common.now();
        let until = received + 300_000;
        working.comes_to(|reading| working.common.now() >= until && reading.errors.count() > 0);
        working.send(Command::HoldIsOver(until));
        server.go_wild(false);
        if settles {
            working.comes_to(|reading| Working::serves_all(reading) && reading.in_flight == 0);
        }
        let (least, most) = (working.due(received, until), working.due(posted, until));
        let tally = working.end();
        let messages = tally.messages;
        prop_assert!(least <= messages.due && messages.due <= most, "{least} {messages:?} {most}");
        prop_assert_eq!(messages.answered + messages.unanswered, messages.due);
        let taken: u64 = tally.nodes.iter().map(|node| node.quantiles().count).sum();
        prop_assert_eq!(taken, messages.due);
        prop_assert!(!settles || messages.unanswered <= tally.errors.count());
    }
}

#[test]
fn all_clients_of_a_node_that_fails_are_cut_and_served_again() {
    let server = Server::new(0);
    let working = Working::against(&server, 100.0);
    let (reply, clients) = oneshot::channel();
    working.send(Command::Fail(working.common.names.id("a"), reply));
    let clients = clients.blocking_recv().unwrap();
    assert_eq!(clients, CLIENTS / 2);
    server.close("a");
    working.comes_to(|reading| reading.homeless == 0);
    let reading = working.reading();
    assert!(Working::serves_all(&reading) && reading.cut == 0, "{reading:?}");
    let tally = working.end();
    assert_eq!((tally.failover.cut.len(), tally.failover.rehomed.len()), (10, 10));
    assert_eq!((tally.failover.bystanders, tally.errors.count()), (0, 0));
}

#[test]
fn clients_of_other_nodes_that_lose_their_connection_during_a_failure_are_bystanders() {
    let server = Server::new(0);
    let working = Working::against(&server, 0.0);
    let (reply, clients) = oneshot::channel();
    working.send(Command::Fail(working.common.names.id("another worker's"), reply));
    assert_eq!(clients.blocking_recv(), Ok(0));
    server.close("b");
    working.comes_to(|reading| reading.errors.count() == 10);
    working.send(Command::FailureIsOver);
    server.close("a");
    working.comes_to(|reading| reading.errors.count() >= 20);
    assert_eq!(working.end().failover.bystanders, 10);
}

#[test]
fn clients_that_come_back_are_counted_and_wait_for_no_other_end() {
    let server = Server::new(0);
    let working = Working::against(&server, 0.0);
    // This node is announced to fail, and never does: its clients leave it by themselves.
    let (reply, clients) = oneshot::channel();
    working.send(Command::Fail(working.common.names.id("a"), reply));
    assert_eq!(clients.blocking_recv(), Ok(CLIENTS / 2));
    working.send(Command::Sample(CLIENTS));
    working.comes_to(|reading| reading.sampling == 0);
    let reading = working.reading();
    assert!(Working::serves_all(&reading), "{reading:?}");
    assert_eq!((reading.homeless, reading.cut), (0, 0));
    let sampled = working.end().sampled;
    assert_eq!(sampled.same + sampled.moved, CLIENTS);
}

#[test]
fn a_client_that_is_lost_twice_still_comes_back() {
    let server = Server::new(0);
    let (_inbox, mut worker) = worker(&common(server.address, 0.0));
    worker.open_more();
    assert_eq!(worker.opening, CLIENTS);
    let failure = LoadError::new(Kind::Reset, "reset by peer");
    for seat in 0..CLIENTS {
        worker.connection_lost(seat, &failure);
        // What it received was not answered, and then the connection ended, too.
        worker.connection_lost(seat, &failure);
    }
    assert_eq!(worker.opening, 0);
    assert_eq!(worker.tally.errors.count(), u64::from(CLIENTS));
    let mut expired = Vec::new();
    worker.timers.expire(worker.now / 1_000 + 1_000, &mut expired);
    assert_eq!(expired.len(), CLIENTS as usize);
}

#[test]
fn a_target_that_refuses_all_clients_does_not_block_the_worker() {
    let none = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let crowd = Arc::new(Common {
        connections: 1_000,
        ..Arc::into_inner(common(none, 0.0)).unwrap()
    });
    let (_inbox, mut worker) = worker(&crowd);
    worker.open_more();
    assert!(worker.next_new < 300, "{}", worker.next_new);
    assert!(worker.opening > 0 || worker.opens_more());
}

#[test]
fn a_worker_without_clients_ends_on_command() {
    let server = Server::new(0);
    let few = Common {
        connections: 1,
        workers: 2,
        ..Arc::into_inner(common(server.address, 1_000.0)).unwrap()
    };
    let poll = Poll::new().unwrap();
    let inbox = Arc::new(Inbox::new(1, &poll, EventSource::Inbox.into()).unwrap());
    let worker = Worker::new(1, poll, inbox.reader(), Arc::new(few)).unwrap();
    for command in [
        Command::Hold(0),
        Command::Sample(1),
        Command::HoldIsOver(u64::MAX),
        Command::End,
    ] {
        inbox.post(command);
    }
    assert_eq!(worker.run().unwrap().messages.due, 0);
}
