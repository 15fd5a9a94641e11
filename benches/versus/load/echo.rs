//! Small messages in both directions, each sent when the answer to the one before has arrived.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::{Events, Interest, Poll, Token};

use super::{MESSAGE, Sample, Sources, TIMEOUT, Window, many_connected};

/// Connections at the same time.
const CONNECTIONS: usize = 64;

/// Runs until `window` is over.
pub(crate) fn run(target: SocketAddr, sources: &mut Sources, mut window: Window) -> io::Result<Sample> {
    let mut poll = Poll::new()?;
    let mut streams = many_connected(CONNECTIONS, sources, target)?;
    for (token, stream) in streams.iter_mut().enumerate() {
        poll.registry()
            .register(stream, Token(token), Interest::READABLE)?;
        stream.write_all(&MESSAGE)?;
    }
    let mut missing = [MESSAGE.len(); CONNECTIONS];
    let mut buffer = MESSAGE;
    let mut events = Events::with_capacity(CONNECTIONS);
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
            let read = match stream.read(&mut buffer[..missing[token]]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            missing[token] -= read;
            if missing[token] == 0 {
                missing[token] = MESSAGE.len();
                window.count(1);
                stream.write_all(&MESSAGE)?;
            }
        }
    }
}
