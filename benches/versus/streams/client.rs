//! Clients of streams: curl, whose output is read line by line.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::kind::{self, Kind};

/// The first events of a stream belong to the warm-up.
const WARM_UP: usize = 5;
/// The time limit for a stream to begin.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Clients that each read one stream; they end when this is dropped.
pub(crate) struct Clients(Vec<Child>);

impl Clients {
    /// Starts `count` of them.
    #[expect(clippy::disallowed_methods, reason = "runs clients as a user does")]
    pub(crate) fn start(kind: Kind, target: SocketAddr, count: usize) -> io::Result<Clients> {
        let encoding = if kind.gzip { "gzip" } else { "identity" };
        let mut clients = Clients(Vec::new());
        for _ in 0..count {
            let curl = Command::new("curl")
                .args([
                    "--silent",
                    "--no-buffer",
                    "--compressed",
                    "--request",
                    kind.method,
                ])
                .args(["--header", "Content-Length: 0"])
                .args(["--header", "Accept: application/json, text/event-stream"])
                .args(["--header", &format!("Accept-Encoding: {encoding}")])
                .args(["--header", &format!("Answer-With: {}", kind.content.media_type())])
                .arg(format!("http://{target}/mcp"))
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()?;
            clients.0.push(curl);
        }
        Ok(clients)
    }

    /// The latency of each event that arrived within `length`. Times count from `clock`.
    pub(crate) fn latencies(mut self, clock: Instant, length: Duration) -> io::Result<Vec<Duration>> {
        let (sender, receiver) = mpsc::channel();
        for stream in self.0.iter_mut().filter_map(|client| client.stdout.take()) {
            let sender = sender.clone();
            thread::spawn(move || read(stream, clock, &sender));
        }
        drop(sender);
        let mut latencies = Vec::new();
        let mut end = Instant::now() + START_TIMEOUT;
        while let Ok(latency) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if latencies.is_empty() {
                end = Instant::now() + length;
            }
            latencies.push(latency);
        }
        if latencies.is_empty() {
            return Err(io::Error::other("no event came"));
        }
        Ok(latencies)
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        for client in &mut self.0 {
            // The client may have ended already.
            let _killed = client.kill();
            let _reaped = client.wait();
        }
    }
}

// Private

fn read(stream: ChildStdout, clock: Instant, latencies: &mpsc::Sender<Duration>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    for sent in lines.filter_map(|line| kind::sent(&line)).skip(WARM_UP) {
        let took = clock.elapsed().as_nanos().saturating_sub(sent);
        let took = Duration::from_nanos(u64::try_from(took).unwrap_or(u64::MAX));
        if latencies.send(took).is_err() {
            return;
        }
    }
}
