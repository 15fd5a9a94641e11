//! Many streams of events.

use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::client::{connected, exchanged};
use super::{Exchange, Sample, Sources, TIMEOUT, Window};
use crate::node::{self, EVENT_MARK, Nodes};

/// The size of a read.
const READ: usize = 16 * 1024;
/// The time allowed for the last events.
const LAST: Duration = Duration::from_secs(2);

/// Streams that are open until this is dropped.
pub(crate) struct Streams {
    poll: Poll,
    streams: Vec<TcpStream>,
}

impl Streams {
    /// Opens `count` streams at `targets` in turn, each from the next address.
    pub(crate) fn open(
        count: usize,
        targets: &[SocketAddr],
        request: &Exchange,
        sources: &mut Sources,
    ) -> io::Result<Streams> {
        let mut streams = Streams {
            poll: Poll::new()?,
            streams: Vec::new(),
        };
        for (source, target) in sources.take(count).zip(targets.iter().cycle()) {
            let mut stream = connected(source, *target)?;
            exchanged(&mut stream, request)
                .map_err(|error| io::Error::other(format!("stream {}: {error}", streams.streams.len())))?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let token = Token(streams.streams.len());
            streams
                .poll
                .registry()
                .register(&mut stream, token, Interest::READABLE)?;
            streams.streams.push(stream);
        }
        Ok(streams)
    }

    /// Lets `nodes` send an event to each stream, again when all have arrived, until `window` is
    /// over. An operation is an event.
    pub(crate) fn fan_out(&mut self, nodes: &Nodes, mut window: Window) -> io::Result<Sample> {
        loop {
            nodes.send_to_each()?;
            let mut missing = self.streams.len();
            while missing > 0 {
                if let Some(sample) = window.tick() {
                    self.receive(missing)?;
                    return Ok(sample);
                }
                let arrived = self.wait(|_| {})?;
                if arrived == 0 {
                    return Err(io::Error::new(
                        ErrorKind::TimedOut,
                        format!("{missing} events are missing"),
                    ));
                }
                window.count(arrived);
                missing = missing.saturating_sub(arrived);
            }
        }
    }

    /// Lets `nodes` send `rate` events per second, each to the next stream, for `length`. Returns how
    /// long each took.
    pub(crate) fn latencies(
        &mut self,
        nodes: &Nodes,
        rate: u32,
        length: Duration,
    ) -> io::Result<Vec<Duration>> {
        let interval = Duration::from_secs(1) / rate;
        let count = usize::try_from(length.as_nanos() / interval.as_nanos()).unwrap_or(1);
        nodes.send_in_turn(count, interval)?;
        let mut latencies = Vec::with_capacity(count);
        let deadline = Instant::now() + length + LAST;
        while latencies.len() < count && Instant::now() < deadline {
            self.wait(|bytes| {
                let now = nodes.clock.elapsed();
                latencies.extend(node::sent(bytes).map(|sent| now.saturating_sub(sent)));
            })?;
        }
        // A lost event took the longest.
        latencies.resize(count, length + LAST);
        Ok(latencies)
    }

    // Private

    /// Receives `missing` events.
    fn receive(&mut self, mut missing: usize) -> io::Result<()> {
        while missing > 0 {
            match self.wait(|_| {})? {
                0 => return Err(ErrorKind::TimedOut.into()),
                arrived => missing = missing.saturating_sub(arrived),
            }
        }
        Ok(())
    }

    /// Waits for events; returns their number.
    fn wait(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = [0; READ];
        self.poll.poll(&mut events, Some(TIMEOUT))?;
        let mut arrived = 0;
        for event in &events {
            let Token(token) = event.token();
            let read = match self.streams[token].read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            arrived += memchr::memchr_iter(EVENT_MARK, &buffer[..read]).count();
            each(&buffer[..read]);
        }
        Ok(arrived)
    }
}
