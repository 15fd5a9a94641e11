//! TCP: a node sends back what it receives.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;

use super::Serve;

/// A connection, and the bytes that it has not taken yet.
pub(crate) struct Echo {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Serve for Echo {
    fn new(stream: TcpStream) -> Echo {
        Echo {
            stream,
            unsent: Vec::new(),
        }
    }

    fn go_on(&mut self, buffer: &mut [u8], ended: bool) -> io::Result<bool> {
        loop {
            if !self.unsent.is_empty() {
                let sent = self.send_unsent()?;
                self.unsent.drain(..sent);
                if !self.unsent.is_empty() {
                    return Ok(true);
                }
            }
            let read = match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            let sent = match self.stream.write(&buffer[..read]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                sent => sent?,
            };
            self.unsent.extend_from_slice(&buffer[sent..read]);
            if self.unsent.is_empty() && read < buffer.len() && !ended {
                return Ok(true);
            }
        }
    }
}

impl Echo {
    fn send_unsent(&mut self) -> io::Result<usize> {
        match self.stream.write(&self.unsent) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }
}
