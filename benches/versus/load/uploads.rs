//! Requests with large bodies.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::client::{connected, exchanged};
use super::{Exchange, Sources, TIMEOUT};
use crate::meter::Meter;

/// The size of a write.
const CHUNK: usize = 256 * 1024;
/// Time between two looks at the balancer's memory.
const LOOK: Duration = Duration::from_millis(50);

/// What uploads took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uploaded {
    /// The most memory that the balancer had at any time.
    pub(crate) peak: u64,
    /// Processor time of the balancer.
    pub(crate) cpu: Duration,
    /// The time until all were answered.
    pub(crate) elapsed: Duration,
}

/// An upload on its way.
struct Upload {
    stream: TcpStream,
    left: u64,
}

/// Sends `count` uploads of `length` bytes at the same time, while `meter` measures.
pub(crate) fn run(
    count: usize,
    length: u64,
    target: SocketAddr,
    request: &Exchange,
    sources: &mut Sources,
    meter: &Meter,
) -> io::Result<Uploaded> {
    let mut poll = Poll::new()?;
    let mut uploads = Vec::new();
    for (token, source) in sources.take(count).enumerate() {
        let mut stream = connected(source, target)?;
        stream.write_all(request.request())?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(token), Interest::WRITABLE)?;
        uploads.push(Upload { stream, left: length });
    }
    let (begun, cpu) = (Instant::now(), meter.cpu());
    let (mut peak, mut looked) = (0, begun);
    let mut events = Events::with_capacity(count);
    while uploads.iter().any(|upload| upload.left > 0) {
        poll.poll(&mut events, Some(TIMEOUT))?;
        if events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        for event in &events {
            let Token(token) = event.token();
            uploads[token].write()?;
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            peak = peak.max(meter.memory());
        }
    }
    peak = peak.max(meter.memory());
    for upload in uploads {
        let mut stream = std::net::TcpStream::from(upload.stream);
        stream.set_nonblocking(false)?;
        exchanged(&mut stream, &request.only_answer())?;
    }
    Ok(Uploaded {
        peak,
        cpu: meter.cpu().saturating_sub(cpu),
        elapsed: begun.elapsed(),
    })
}

// Private

impl Upload {
    /// Writes until it would block.
    fn write(&mut self) -> io::Result<()> {
        static ZEROS: [u8; CHUNK] = [0; CHUNK];
        while self.left > 0 {
            let most = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
            match self.stream.write(&ZEROS[..most]) {
                Ok(written) => self.left -= written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
