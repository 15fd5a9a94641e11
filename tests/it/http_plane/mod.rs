//! The data plane's HTTP, in front of nodes that record each byte and answer as a test wants.

mod access_log;
mod affinity;
mod aging;
mod answers;
mod compression;
mod connections;
mod differential;
mod ending;
mod members;
mod node;
mod requests;
mod resting;
mod servers;
mod timeouts;
mod upgrades;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use clusterctl::dataplane_config::{Dataplane, DataplaneHttpBackend, DataplaneQuestion, DataplaneRoutes};
use clusterctl::profile::Paths;

use crate::harness::TIMEOUT;
use crate::plane::Plane;
use node::Node;

/// The data plane in front of these nodes: all paths below `/mcp` are served.
fn plane(nodes: &[&Node]) -> Plane {
    plane_with(nodes, |_| {})
}

/// The data plane in front of these nodes, with a changed configuration.
fn plane_with(nodes: &[&Node], change: impl FnOnce(&mut Dataplane)) -> Plane {
    let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.address).collect();
    Plane::with(&addresses, |config| {
        let backend = config.backends[0].name.clone();
        config.frontends[0].http = Some(DataplaneRoutes {
            paths: Paths {
                mcp: vec!["/mcp".to_owned()],
                sse: vec![],
                websocket: vec![],
                other: vec![],
            },
            only: None,
            websocket: backend.clone(),
            sse: backend,
        });
        config.backends[0].http = Some(DataplaneHttpBackend::default());
        // Connections of checks would disturb what nodes record.
        config.backends[0].check = None;
        for server in &mut config.backends[0].servers {
            server.question = DataplaneQuestion::Tcp;
        }
        change(config);
    })
}

/// A client that sends any bytes.
struct Raw(TcpStream);

/// An answer as it was received.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The value of a header.
    fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// The value of a header in a head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

impl Raw {
    fn connect(plane: &Plane) -> Raw {
        let stream = TcpStream::connect(plane.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw(stream)
    }

    /// Sends bytes.
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends what is taken until the connection ends.
    fn send_some(&mut self, bytes: &str) {
        let _ended = self.0.write_all(bytes.as_bytes());
    }

    /// Sends more of the same byte than all buffers take, until no more is taken for a while.
    fn send_until_full(&mut self, byte: &str) {
        let wait = std::time::Duration::from_millis(200);
        self.0.set_write_timeout(Some(wait)).unwrap();
        let bytes = byte.repeat(65_536);
        let is_taken = |_: &u32| self.0.write_all(bytes.as_bytes()).is_ok();
        let _full = (0..250).take_while(is_taken).count();
    }

    /// Sends a `GET` of `/mcp`, and returns the answer.
    fn get(&mut self) -> Answer {
        self.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
        self.answer()
    }

    /// Whether anything arrives within this time, even the end.
    fn receives_within(&mut self, time: std::time::Duration) -> bool {
        self.0.set_read_timeout(Some(time)).unwrap();
        let received = self.0.peek(&mut [0]).is_ok();
        self.0.set_read_timeout(Some(TIMEOUT)).unwrap();
        received
    }

    /// Sends the end of the stream.
    fn finish(&mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads a head, up to its empty line.
    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(
                self.0.read(&mut byte).unwrap(),
                1,
                "the connection ended after {:?}",
                String::from_utf8_lossy(&head)
            );
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads exactly this much text.
    fn exactly(&mut self, count: usize) -> String {
        String::from_utf8(self.bytes(count)).unwrap()
    }

    /// Reads exactly this many bytes.
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads an answer with a body of known length or in chunks. The body of a chunked answer is
    /// what its chunks contain.
    fn answer(&mut self) -> Answer {
        let head = self.head();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if header(&head, "transfer-encoding").is_some() {
            self.chunks()
        } else {
            let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
            self.exactly(length)
        };
        Answer { status, head, body }
    }

    /// Reads all chunks up to the last one, and drops trailers.
    fn chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let size = self.line();
            let size = usize::from_str_radix(&size, 16).unwrap();
            if size == 0 {
                while !self.line().is_empty() {}
                return body;
            }
            body.push_str(&self.exactly(size));
            assert_eq!(self.line(), "");
        }
    }

    /// Reads a line, without its end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        while !line.ends_with("\r\n") {
            line.push_str(&self.exactly(1));
        }
        line.truncate(line.len() - 2);
        line
    }

    /// Everything up to the end of the connection, which may be a reset.
    fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Everything up to the end of the stream, which must not be a reset. The own end is sent once the
    /// answer has begun.
    fn rest_in_order_after_finish(&mut self) -> String {
        let first = self.exactly(1);
        self.finish();
        first + &self.rest_in_order()
    }

    /// Everything up to the end of the stream, which must not be a reset.
    fn rest_in_order(&mut self) -> String {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The content of chunks, and what follows them.
fn dechunked(mut text: &str) -> (String, &str) {
    let mut content = String::new();
    loop {
        let (size, rest) = text.split_once("\r\n").unwrap();
        let size = size.split(';').next().unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            let (_, after) = if let Some(after) = rest.strip_prefix("\r\n") {
                ("", after)
            } else {
                rest.split_once("\r\n\r\n").unwrap()
            };
            return (content, after);
        }
        content.push_str(&rest[..size]);
        text = &rest[size + 2..];
    }
}

/// An answer of `status` with this body.
fn with_length(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
