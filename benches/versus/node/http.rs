//! HTTP: a node answers requests, and serves streams of events, upgraded connections and endless downloads.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;

use super::Serve;
use crate::http::messages::{
    ANSWER, DOWNLOAD, DOWNLOAD_PATH, EVENT_STREAM, INITIALIZED, MESSAGE_FROM_NODE, MESSAGE_TO_NODE, SWITCHED,
};

/// More header lines than any balancer sends.
const MAX_HEADERS: usize = 64;
/// Bytes of a download that are written at once.
static CHUNK: [u8; 64 * 1024] = [b'd'; 64 * 1024];

/// A connection.
pub(crate) struct Http {
    stream: TcpStream,
    mode: Mode,
    /// The beginning of a head.
    partial: Vec<u8>,
    /// Answers that the connection has not taken yet.
    unsent: Vec<u8>,
}

/// What the next bytes are.
#[derive(Clone, Copy)]
enum Mode {
    /// A head.
    Head,
    /// So many more bytes of a request's body; then the answer is due.
    Body(u64, &'static [u8]),
    /// Nothing: a stream of events.
    Events,
    /// Messages of a WebSocket; so many bytes of the next one have arrived.
    WebSocket(usize),
    /// Nothing: an endless download.
    Download,
}

impl Serve for Http {
    fn new(stream: TcpStream) -> Http {
        Http {
            stream,
            mode: Mode::Head,
            partial: Vec::new(),
            unsent: Vec::new(),
        }
    }

    fn go_on(&mut self, buffer: &mut [u8], ended: bool) -> io::Result<bool> {
        self.write()?;
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            if self.partial.is_empty() {
                self.take(&buffer[..read])?;
            } else {
                let mut bytes = std::mem::take(&mut self.partial);
                bytes.extend_from_slice(&buffer[..read]);
                self.take(&bytes)?;
            }
            self.write()?;
            if read < buffer.len() && !ended {
                break;
            }
        }
        Ok(true)
    }

    fn is_stream(&self) -> bool {
        matches!(self.mode, Mode::Events)
    }

    fn send(&mut self, event: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(event);
        self.write()
    }
}

impl Http {
    /// Takes what was received, and prepares the answers.
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.mode {
                Mode::Head => {
                    let Some(length) = self.head(bytes)? else {
                        self.partial = bytes.to_vec();
                        return Ok(());
                    };
                    bytes = &bytes[length..];
                }
                Mode::Body(left, answer) => {
                    let taken = left.min(bytes.len() as u64);
                    bytes = &bytes[usize::try_from(taken).unwrap_or(bytes.len())..];
                    self.body(left - taken, answer);
                }
                Mode::WebSocket(got) => {
                    let got = got + bytes.len();
                    for _ in 0..got / MESSAGE_TO_NODE.len() {
                        self.unsent.extend_from_slice(MESSAGE_FROM_NODE);
                    }
                    self.mode = Mode::WebSocket(got % MESSAGE_TO_NODE.len());
                    return Ok(());
                }
                Mode::Events | Mode::Download => return Ok(()),
            }
        }
        Ok(())
    }

    /// The length of the request's head, if it is complete.
    fn head(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = request.parse(bytes).map_err(io::Error::other)? else {
            return Ok(None);
        };
        let header = |name: &str| {
            let found = request
                .headers
                .iter()
                .find(|it| it.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(found.value).ok()
        };
        if header("transfer-encoding").is_some() {
            return Err(io::Error::other("chunked requests are not understood"));
        }
        let left = header("content-length")
            .and_then(|it| it.parse().ok())
            .unwrap_or(0);
        let accepts = header("accept").unwrap_or_default();
        let (get, path) = (request.method == Some("GET"), request.path.unwrap_or_default());
        let (mode, answer) = if header("upgrade").is_some() {
            (Mode::WebSocket(0), SWITCHED)
        } else if get && path == DOWNLOAD_PATH {
            (Mode::Download, DOWNLOAD)
        } else if get && accepts.contains("text/event-stream") {
            (Mode::Events, EVENT_STREAM)
        } else {
            // Only the request that begins a session comes without a version.
            let begins = header("mcp-protocol-version").is_none();
            self.body(left, if begins { INITIALIZED } else { ANSWER });
            return Ok(Some(length));
        };
        self.mode = mode;
        self.unsent.extend_from_slice(answer);
        Ok(Some(length))
    }

    fn body(&mut self, left: u64, answer: &'static [u8]) {
        self.mode = if left == 0 {
            self.unsent.extend_from_slice(answer);
            Mode::Head
        } else {
            Mode::Body(left, answer)
        };
    }

    /// Writes until it would block.
    fn write(&mut self) -> io::Result<()> {
        loop {
            let bytes = match self.mode {
                Mode::Download if self.unsent.is_empty() => &CHUNK,
                _ => self.unsent.as_slice(),
            };
            if bytes.is_empty() {
                return Ok(());
            }
            match self.stream.write(bytes) {
                Ok(sent) if !self.unsent.is_empty() => drop(self.unsent.drain(..sent)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
