//! A server that acts as an MCP node over TCP, and fails on demand.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How often a connection checks whether its behaviour has changed.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The behaviour of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Answers.
    Serves,
    /// Answers, the first time, then closes.
    ServesOnce,
    /// Listens, and never answers.
    Silent,
    /// Closes every connection.
    Closes,
    /// Closes every connection, and stops listening.
    Refuses,
    /// Answers every line with these bytes.
    Answers(&'static [u8]),
    /// Answers with bytes that are not text.
    Noise,
    /// Answers with a line that has no end.
    Endless,
}

/// A server for one test.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// Connections that were accepted.
    accepted: AtomicU64,
    /// Lines that were answered as a node answers them.
    answered: AtomicU64,
    /// The number of first connections that are served, whatever the behaviour is.
    served: AtomicU64,
    behaviour: Mutex<Behaviour>,
}

impl Target {
    /// A target that behaves like `behaviour`.
    pub(super) fn that(behaviour: Behaviour) -> Target {
        Target::at("127.0.0.1:0", 0, behaviour)
    }

    /// A target that serves the `first` connections and behaves like `then` for all others.
    pub(super) fn that_serves(first: u64, then: Behaviour) -> Target {
        Target::at("127.0.0.1:0", first, then)
    }

    /// A target at an address, which serves all connections.
    pub(super) fn on(address: &str) -> Target {
        Target::at(address, 0, Behaviour::Serves)
    }

    /// Changes the behaviour for all connections.
    pub(super) fn turn(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
        self.shared.served.store(0, Ordering::SeqCst);
    }

    /// Connections that were accepted until now.
    pub(super) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Lines that were answered until now.
    pub(super) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::SeqCst)
    }

    // Private

    fn at(address: &str, served: u64, behaviour: Behaviour) -> Target {
        let listener = TcpListener::bind(address).unwrap();
        let target = Target {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                accepted: AtomicU64::new(0),
                answered: AtomicU64::new(0),
                served: AtomicU64::new(served),
                behaviour: Mutex::new(behaviour),
            }),
        };
        let shared = Arc::clone(&target.shared);
        thread::spawn(move || accept(&listener, &shared));
        target
    }
}

impl Shared {
    /// The current behaviour for the connection with this number.
    fn behaviour(&self, number: u64) -> Behaviour {
        if number < self.served.load(Ordering::SeqCst) {
            Behaviour::Serves
        } else {
            *self.behaviour.lock().unwrap()
        }
    }
}

/// Accepts connections until the target refuses them.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        if shared.behaviour(number) == Behaviour::Refuses {
            return;
        }
        let (stream, shared) = (stream.unwrap(), Arc::clone(shared));
        // The client may be gone.
        let treating = move || drop(treat(stream, number, &shared));
        thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(treating)
            .unwrap();
    }
}

fn treat(mut stream: TcpStream, number: u64, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(POLL_INTERVAL))?;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => received.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        // Only after a read: unread bytes would turn the close into a reset.
        if matches!(shared.behaviour(number), Behaviour::Closes | Behaviour::Refuses) {
            return Ok(());
        }
        while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = received.drain(..=end).collect();
            match shared.behaviour(number) {
                Behaviour::Serves => {
                    stream.write_all(&answer(&line))?;
                    shared.answered.fetch_add(1, Ordering::SeqCst);
                }
                Behaviour::ServesOnce => return stream.write_all(&answer(&line)),
                Behaviour::Silent => {}
                Behaviour::Closes | Behaviour::Refuses => return Ok(()),
                Behaviour::Answers(what) => stream.write_all(what)?,
                Behaviour::Noise => stream.write_all(&[0x00, 0xff, 0xfe, 0x80, b'\n'])?,
                Behaviour::Endless => loop {
                    stream.write_all(&[b'x'; 4096])?;
                },
            }
        }
    }
}

/// The answer of a node; empty for a line that is not a request.
fn answer(line: &[u8]) -> Vec<u8> {
    let Ok(asked) = serde_json::from_slice::<Value>(line) else {
        return Vec::new();
    };
    let Some(id) = asked.get("id") else {
        return Vec::new();
    };
    let result = match asked["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": asked["params"]["protocolVersion"],
            "capabilities": {},
            "serverInfo": {"name": "mine", "version": "1"},
        }),
        _ => json!({}),
    };
    let mut answer = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    answer.push('\n');
    answer.into_bytes()
}
