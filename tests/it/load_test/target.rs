//! A server that acts as an MCP node over TCP, and fails on demand.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How often a connection checks whether its behaviour has changed.
const LOOK: Duration = Duration::from_millis(50);

/// The behaviour of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
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
    Says(&'static [u8]),
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
    /// The number of first connections that are served, whatever the mood is.
    served: AtomicU64,
    mood: Mutex<Mood>,
}

impl Target {
    /// A target that behaves like `mood`.
    pub(super) fn that(mood: Mood) -> Target {
        Target::at("127.0.0.1:0", 0, mood)
    }

    /// A target that serves the `first` connections and behaves like `then` for all others.
    pub(super) fn that_serves(first: u64, then: Mood) -> Target {
        Target::at("127.0.0.1:0", first, then)
    }

    /// A target at an address, which serves all connections.
    pub(super) fn on(address: &str) -> Target {
        Target::at(address, 0, Mood::Serves)
    }

    /// Changes the behaviour for all connections.
    pub(super) fn turn(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
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

    fn at(address: &str, served: u64, mood: Mood) -> Target {
        let listener = TcpListener::bind(address).unwrap();
        let target = Target {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                accepted: AtomicU64::new(0),
                answered: AtomicU64::new(0),
                served: AtomicU64::new(served),
                mood: Mutex::new(mood),
            }),
        };
        let shared = Arc::clone(&target.shared);
        thread::spawn(move || accept(&listener, &shared));
        target
    }
}

impl Shared {
    /// The current behaviour for the connection with this number.
    fn mood(&self, number: u64) -> Mood {
        if number < self.served.load(Ordering::SeqCst) {
            Mood::Serves
        } else {
            *self.mood.lock().unwrap()
        }
    }
}

/// Accepts connections until the target refuses them.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        if shared.mood(number) == Mood::Refuses {
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
    stream.set_read_timeout(Some(LOOK))?;
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => heard.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        // Only after a read: unread bytes would turn the close into a reset.
        if matches!(shared.mood(number), Mood::Closes | Mood::Refuses) {
            return Ok(());
        }
        while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = heard.drain(..=end).collect();
            match shared.mood(number) {
                Mood::Serves => {
                    stream.write_all(&answer(&line))?;
                    shared.answered.fetch_add(1, Ordering::SeqCst);
                }
                Mood::ServesOnce => return stream.write_all(&answer(&line)),
                Mood::Silent => {}
                Mood::Closes | Mood::Refuses => return Ok(()),
                Mood::Says(what) => stream.write_all(what)?,
                Mood::Noise => stream.write_all(&[0x00, 0xff, 0xfe, 0x80, b'\n'])?,
                Mood::Endless => loop {
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
