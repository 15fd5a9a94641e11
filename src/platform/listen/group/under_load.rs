//! A group changes while clients connect all the time, and no connection is lost.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::{Group, Spread};

const ROUNDS: u16 = 20;
const ACCEPTORS: u16 = 2;
const CLIENTS: usize = 4;
/// Connections between two changes.
const CONNECTIONS: usize = 40;
const DEADLINE: Duration = Duration::from_mins(1);

/// What the threads share.
struct Scene {
    group: Mutex<Group>,
    /// Members from this number on have no process.
    served: AtomicUsize,
    done: AtomicUsize,
    is_over: AtomicBool,
    /// Clients that may still wait for an answer.
    clients: AtomicUsize,
}

/// Ends the clients, and then the acceptors, also when an assertion fails.
struct Ending<'a>(&'a Scene);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, SeqCst);
    }
}

impl Scene {
    /// Copies of the listeners that an acceptor has to serve.
    fn copies(&self, acceptor: u16) -> Vec<TcpListener> {
        let group = self.group.lock().unwrap();
        let served = u16::try_from(self.served.load(SeqCst)).unwrap();
        let own = (acceptor..served).step_by(ACCEPTORS.into());
        own.map(|member| group.listener(member).unwrap().try_clone().unwrap())
            .collect()
    }

    /// Serves like a process that is replaced again and again: it closes its listeners and gets
    /// copies of those that are open then.
    fn accept(&self, acceptor: u16) {
        while self.clients.load(SeqCst) > 0 {
            let listeners = self.copies(acceptor);
            for _ in 0..20 {
                for listener in &listeners {
                    while let Ok((mut connection, _)) = listener.accept() {
                        connection.set_nonblocking(false).unwrap();
                        let _seen_by_the_client = connection.write_all(b"x");
                    }
                }
                thread::yield_now();
            }
        }
    }

    /// Connects until the end, and returns the failures.
    fn connect(&self, address: SocketAddr) -> Vec<io::Error> {
        let mut failures = Vec::new();
        while !self.is_over.load(SeqCst) {
            failures.extend(answered(address).err());
            self.done.fetch_add(1, SeqCst);
        }
        self.clients.fetch_sub(1, SeqCst);
        failures
    }

    /// Waits for connections that began after this call.
    fn wait(&self) {
        let (deadline, enough) = (
            Instant::now() + DEADLINE,
            self.done.load(SeqCst) + CLIENTS + CONNECTIONS,
        );
        while self.done.load(SeqCst) < enough {
            assert!(
                Instant::now() < deadline,
                "clients wait for a member without a process"
            );
            thread::yield_now();
        }
    }

    fn change(&self, round: u16) {
        let spread = if round.is_multiple_of(3) {
            Spread::ByClient
        } else {
            Spread::ByConnection
        };
        let members = {
            let mut group = self.group.lock().unwrap();
            let members = group.members() + 1 + round % 2;
            group.grow(members).unwrap();
            members
        };
        // The new members would let their clients wait, because no thread serves them yet.
        self.wait();
        self.served.store(members.into(), SeqCst);
        let mut living = vec![true; members.into()];
        self.steer(&living, spread);
        living[usize::from(round % members)] = false;
        self.steer(&living, spread);
        self.steer(&living[..=usize::from(members / 2)], spread);
        self.steer(&vec![true; members.into()], Spread::ByConnection);
    }

    fn steer(&self, living: &[bool], spread: Spread) {
        self.group.lock().unwrap().steer(living, spread).unwrap();
        self.wait();
    }
}

fn answered(address: SocketAddr) -> io::Result<()> {
    let mut client = TcpStream::connect(address)?;
    client.set_read_timeout(Some(DEADLINE))?;
    client.read_exact(&mut [0])
}

#[test]
fn no_connection_is_lost_while_a_group_grows_and_is_steered() {
    let group = Group::open("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = group.address();
    let scene = Scene {
        group: Mutex::new(group),
        served: AtomicUsize::new(1),
        done: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        clients: AtomicUsize::new(CLIENTS),
    };
    let failures: Vec<io::Error> = thread::scope(|scope| {
        let scene = &scene;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| scene.connect(address)))
            .collect();
        let ending = Ending(scene);
        for acceptor in 0..ACCEPTORS {
            scope.spawn(move || scene.accept(acceptor));
        }
        (0..ROUNDS).for_each(|round| scene.change(round));
        drop(ending);
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(scene.group.lock().unwrap().members(), 1 + ROUNDS * 3 / 2);
}
