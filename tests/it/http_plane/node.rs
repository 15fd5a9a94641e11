//! A node that records what it gets, and answers as a test wants.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::harness::{TIMEOUT, eventually};
use crate::plane::free_address;

/// A node; it serves until it is dropped.
pub struct Node {
    pub address: SocketAddr,
    records: Arc<Mutex<Vec<Record>>>,
    ended: Arc<AtomicBool>,
    gate: Arc<Gate>,
}

/// Lets waiting connections go on, one for each release.
#[derive(Default)]
struct Gate {
    releases: Mutex<u32>,
    changed: Condvar,
}

/// What came on one connection.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub bytes: Vec<u8>,
    /// The other side has closed it, or reset it.
    pub closed: bool,
}

/// A connection at a node.
pub struct Connection {
    stream: TcpStream,
    records: Arc<Mutex<Vec<Record>>>,
    number: usize,
    gate: Arc<Gate>,
    /// Bytes that were received and not yet used.
    unused: Vec<u8>,
}

impl Node {
    /// A node whose connections are each handled by `serve`, with their number from 0.
    pub fn serving(serve: impl Fn(usize, &mut Connection) + Send + Sync + 'static) -> Node {
        let address = free_address();
        let listener = TcpListener::bind(address).unwrap();
        let node = Node {
            address,
            records: Arc::default(),
            ended: Arc::default(),
            gate: Arc::default(),
        };
        let gate = Arc::clone(&node.gate);
        let (records, ended, serve) = (
            Arc::clone(&node.records),
            Arc::clone(&node.ended),
            Arc::new(serve),
        );
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(TIMEOUT)).unwrap();
                stream.set_nodelay(true).unwrap();
                records.lock().unwrap().push(Record::default());
                let mut connection = Connection {
                    stream,
                    records: Arc::clone(&records),
                    number,
                    gate: Arc::clone(&gate),
                    unused: Vec::new(),
                };
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(number, &mut connection));
            }
        });
        node
    }

    /// A node that answers each request, once it is complete, with `answer`.
    pub fn answering(answer: impl Into<String>) -> Node {
        let answer = answer.into();
        Node::serving(move |_, connection| {
            while connection.request().is_some() {
                connection.send(&answer);
            }
        })
    }

    /// What came on each connection so far.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    /// All bytes that came so far, as text.
    pub fn received(&self) -> String {
        let records = self.records();
        let bytes: Vec<u8> = records.into_iter().flat_map(|record| record.bytes).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Lets one connection go on that waits.
    pub fn releases_one(&self) {
        *self.gate.releases.lock().unwrap() += 1;
        self.gate.changed.notify_one();
    }

    /// Waits until a head has come on connection `number`.
    pub fn waits_for_bytes(&self, number: usize) {
        eventually("a request has come", || {
            let records = self.records();
            let record = records.get(number)?;
            record
                .bytes
                .windows(4)
                .any(|window| window == b"\r\n\r\n")
                .then_some(())
        });
    }

    /// Waits until connection `number` was closed by the data plane.
    pub fn waits_for_close(&self, number: usize) {
        eventually("the node's connection is closed", || {
            let records = self.records();
            records
                .get(number)
                .is_some_and(|record| record.closed)
                .then_some(())
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _wakes = TcpStream::connect(self.address);
    }
}

impl Connection {
    /// The head and the body of the next request; `None` when the connection has ended.
    pub fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let head = self.head()?;
        let body = match super::header(&head, "content-length") {
            Some(length) => self.exactly(length.parse().unwrap())?,
            None if super::header(&head, "transfer-encoding").is_some() => self.chunks()?,
            None => Vec::new(),
        };
        Some((head, body))
    }

    /// All chunks up to the last one and its trailers, as they came.
    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let line = self.until(b"\r\n")?;
            let size = str::from_utf8(&line).unwrap().trim_end();
            let size = usize::from_str_radix(size, 16).unwrap();
            all.extend_from_slice(&line);
            if size > 0 {
                all.extend(self.exactly(size + 2)?);
                continue;
            }
            loop {
                let trailer = self.until(b"\r\n")?;
                all.extend_from_slice(&trailer);
                if trailer == b"\r\n" {
                    return Some(all);
                }
            }
        }
    }

    /// The next head; `None` when the connection has ended.
    pub fn head(&mut self) -> Option<String> {
        let head = self.until(b"\r\n\r\n")?;
        Some(String::from_utf8(head).unwrap())
    }

    /// Bytes up to and with `end`.
    pub fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unused.windows(end.len()).position(|window| window == end) {
                return Some(self.unused.drain(..at + end.len()).collect());
            }
            self.receive()?;
        }
    }

    /// Exactly this many bytes.
    pub fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unused.len() < count {
            self.receive()?;
        }
        Some(self.unused.drain(..count).collect())
    }

    /// Records everything up to the end of the connection.
    pub fn drain(&mut self) {
        while self.receive().is_some() {}
    }

    /// Waits until the test releases it.
    pub fn waits_for_release(&self) {
        let releases = self.gate.releases.lock().unwrap();
        let waits = |releases: &mut u32| *releases == 0;
        let waited = self.gate.changed.wait_timeout_while(releases, TIMEOUT, waits);
        let mut releases = waited.unwrap().0;
        *releases = releases.saturating_sub(1);
    }

    /// Sends bytes. A connection that the data plane has closed takes none.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _closed = self.stream.write_all(bytes.as_ref());
    }

    /// Sends the end of the stream.
    pub fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Makes the end of `serve` reset the connection.
    pub fn reset(&self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }

    // Private

    fn receive(&mut self) -> Option<()> {
        let mut buffer = vec![0; 65536];
        let read = self.stream.read(&mut buffer);
        let mut records = self.records.lock().unwrap();
        let record = &mut records[self.number];
        match read {
            Ok(read) if read > 0 => {
                record.bytes.extend_from_slice(&buffer[..read]);
                self.unused.extend_from_slice(&buffer[..read]);
                Some(())
            }
            _ => {
                record.closed = true;
                None
            }
        }
    }
}
