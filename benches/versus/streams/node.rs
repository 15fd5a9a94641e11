//! Nodes that answer every request with an endless stream; each event contains the time at which it
//! was sent.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use super::INTERVAL;
use super::kind::Content;

/// The number of nodes.
const NODES: usize = 2;

/// Starts the nodes, which serve until this process ends; returns their addresses. Times count from
/// `clock`.
pub(crate) fn start(clock: Instant) -> io::Result<Vec<SocketAddr>> {
    let listeners = (0..NODES).map(|_| TcpListener::bind("127.0.0.1:0"));
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect();
    for listener in listeners {
        thread::Builder::new().name("node".to_owned()).spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // The client may have disconnected.
                thread::spawn(move || answer(stream, clock));
            }
        })?;
    }
    addresses
}

// Private

fn answer(stream: TcpStream, clock: Instant) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut content = Content::Events;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && line != "\r\n" {
        if line
            .to_ascii_lowercase()
            .starts_with("answer-with: application/json")
        {
            content = Content::Json;
        }
        line.clear();
    }
    let mut stream = reader.into_inner();
    let kind = content.media_type();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )?;
    loop {
        let event = content.event(clock.elapsed().as_nanos());
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        thread::sleep(INTERVAL);
    }
}
