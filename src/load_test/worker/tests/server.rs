//! A small server with two nodes, which answers, or acts at random.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The server of the worker's clients: `a` serves half of them, `b` the other half.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// All connections that it was not ordered to close, by node.
    open: Mutex<Vec<(&'static str, TcpStream)>>,
    /// Whether chance decides about each request; otherwise it is answered.
    wild: AtomicBool,
    /// The state of the random numbers.
    chance: AtomicU64,
    ended: AtomicBool,
}

/// What happens to a request.
enum Fate {
    Answer,
    Close,
    Silence,
    Garbage,
}

impl Server {
    /// A server whose random numbers begin at `seed`.
    pub(super) fn new(seed: u64) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        state.chance.store(seed, Ordering::Relaxed);
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for (nth, stream) in listener.incoming().enumerate() {
                if served.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (node, stream) = (["a", "b"][nth % 2], stream.unwrap());
                served.open().push((node, stream.try_clone().unwrap()));
                let state = Arc::clone(&served);
                thread::spawn(move || state.serve(node, &stream));
            }
        });
        Server { address, state }
    }

    /// Switches between chance and answers.
    pub(super) fn go_wild(&self, wild: bool) {
        self.state.wild.store(wild, Ordering::SeqCst);
    }

    /// Closes the connections of `node`.
    pub(super) fn close(&self, node: &str) {
        for (_, stream) in self.state.open().extract_if(.., |(name, _)| *name == node) {
            let _is_gone = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        let _wakes_it = TcpStream::connect(self.address);
    }
}

impl State {
    fn open(&self) -> MutexGuard<'_, Vec<(&'static str, TcpStream)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self) -> Fate {
        if !self.wild.load(Ordering::SeqCst) {
            return Fate::Answer;
        }
        let nth = self.chance.fetch_add(1, Ordering::Relaxed);
        match nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59 {
            0 => Fate::Close,
            1 => Fate::Silence,
            2 => Fate::Garbage,
            _ => Fate::Answer,
        }
    }

    /// Answers until the client leaves, or chance ends the connection.
    fn serve(&self, node: &str, mut stream: &TcpStream) {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let question: serde_json::Value = serde_json::from_str(&line).unwrap();
            let Some(id) = question.get("id") else {
                continue;
            };
            let result = match question["method"].as_str() {
                Some("initialize") => {
                    format!(r#"{{"protocolVersion":"2025-06-18","serverInfo":{{"name":"{node}"}}}}"#)
                }
                _ => "{}".to_owned(),
            };
            let sent = match self.fate() {
                Fate::Answer => writeln!(stream, r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
                Fate::Garbage => writeln!(stream, "no MCP"),
                Fate::Silence => Ok(()),
                Fate::Close => break,
            };
            if sent.is_err() {
                break;
            }
        }
        let _is_gone = stream.shutdown(Shutdown::Both);
    }
}
