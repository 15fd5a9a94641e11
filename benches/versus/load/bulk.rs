//! A few streams that send as much as they can and read it all back.

use std::io::{self, ErrorKind, Read, Write};

use mio::{Events, Interest, Poll, Token};

use super::{Client, Sample, Service, Sources, TIMEOUT, Window};

/// Streams at the same time.
const STREAMS: usize = 8;
/// The size of a read or write.
const CHUNK: usize = 256 * 1024;

/// Runs until `window` is over. An operation is a byte that came back.
pub(crate) fn run(service: Service<'_>, sources: &mut Sources, mut window: Window) -> io::Result<Sample> {
    let mut poll = Poll::new()?;
    let connected = sources.take(STREAMS).map(|source| {
        let client = Client::connect(service.protocol, source, service.address)?;
        Ok(client.into_async()?.stream)
    });
    let mut streams = connected.collect::<io::Result<Vec<_>>>()?;
    for (token, stream) in streams.iter_mut().enumerate() {
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(stream, Token(token), both)?;
    }
    let mut buffer = vec![b'b'; CHUNK];
    let mut events = Events::with_capacity(STREAMS);
    loop {
        if let Some(sample) = window.tick() {
            return Ok(sample);
        }
        poll.poll(&mut events, Some(TIMEOUT))?;
        if events.is_empty() {
            return Err(ErrorKind::TimedOut.into());
        }
        for event in &events {
            let Token(token) = event.token();
            let stream = &mut streams[token];
            window.count(until_blocked(|| stream.read(&mut buffer))?);
            until_blocked(|| stream.write(&buffer))?;
        }
    }
}

// Private

/// Repeats `act` until it would block; returns the bytes that it moved.
fn until_blocked(mut act: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    let mut moved = 0;
    loop {
        match act() {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => moved += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(moved),
            Err(error) => return Err(error),
        }
    }
}
