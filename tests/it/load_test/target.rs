//! A server that plays an MCP node over TCP: well, and then not any more.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How often a connection looks whether it is to behave otherwise.
const LOOK: Duration = Duration::from_millis(50);

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Answers.
    Serves,
    /// Answers, the first time, then closes.
    ServesOnce,
    /// Listens, and says nothing.
    Silent,
    /// Ends every connection.
    Closes,
    /// Ends every connection, and listens no more.
    Refuses,
    /// Answers with this, whatever it hears.
    Says(&'static [u8]),
    /// Answers with bytes that are no text.
    Noise,
    /// Answers with a line that has no end.
    Endless,
}

/// A server of this test's own.
pub(super) struct Target {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// Connections that were accepted.
    accepted: AtomicU64,
    /// Lines that were answered while it serves.
    answered: AtomicU64,
    /// So many of them are served, whatever the mood is.
    served: AtomicU64,
    mood: Mutex<Mood>,
}

impl Target {
    /// One that behaves so.
    pub(super) fn that(mood: Mood) -> Target {
        Target::at("127.0.0.1:0", 0, mood)
    }

    /// One that serves the first connections, and treats all others otherwise.
    pub(super) fn that_serves(first: u64, then: Mood) -> Target {
        Target::at("127.0.0.1:0", first, then)
    }

    /// One that serves all, at an address.
    pub(super) fn on(address: &str) -> Target {
        Target::at(address, 0, Mood::Serves)
    }

    /// From now on everybody is treated so.
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
    /// How the connection with this number is treated now.
    fn mood(&self, number: u64) -> Mood {
        if number < self.served.load(Ordering::SeqCst) {
            Mood::Serves
        } else {
            *self.mood.lock().unwrap()
        }
    }
}

/// Until it refuses.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        if shared.mood(number) == Mood::Refuses {
            return;
        }
        let (stream, shared) = (stream.unwrap(), Arc::clone(shared));
        // An error is a client that is gone.
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
        // Not before it has read: what is not would make a reset of it.
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

/// What a node answers; nothing to what is no question.
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
