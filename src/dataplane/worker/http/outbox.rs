//! Bytes that one side has not taken yet.

use std::io::{self, IoSlice, Write};

use mio::net::TcpStream;

use crate::dataplane::relay::Readiness;

/// Bytes to send, in order. Nothing is read from the other side while there are some, so their
/// number is bounded by one read.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

/// A buffer of which more is free than this is not worth keeping.
const MAX_SLACK: usize = 1024;

impl Outbox {
    /// These bytes, none of which was sent.
    pub(super) const fn of(bytes: Vec<u8>) -> Outbox {
        Outbox { bytes, sent: 0 }
    }

    /// Whether all bytes were sent.
    pub(super) const fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Whether any byte was sent.
    pub(super) const fn has_sent(&self) -> bool {
        self.sent > 0
    }

    /// Whether it has bytes to send again.
    pub(super) const fn is_kept(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Everything has to be sent again.
    pub(super) const fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Takes the buffer, to use it for something else.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.sent = 0;
        std::mem::take(&mut self.bytes)
    }

    /// Sends what the receiver takes at once; the buffer stays.
    ///
    /// # Errors
    /// If the connection is broken.
    pub(super) fn flush(&mut self, stream: &TcpStream, readiness: &mut Readiness) -> io::Result<()> {
        while self.sent < self.bytes.len() && readiness.writable {
            self.sent += send(stream, readiness, &self.bytes[self.sent..], &[])?;
        }
        Ok(())
    }

    /// Sends `first` and then `second`, after what is there already; the rest is kept.
    ///
    /// # Errors
    /// If the connection is broken.
    pub(super) fn send(
        &mut self,
        stream: &TcpStream,
        readiness: &mut Readiness,
        first: &[u8],
        second: &[u8],
    ) -> io::Result<()> {
        self.flush(stream, readiness)?;
        let mut sent = 0;
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
            let all = first.len() + second.len();
            while sent < all && readiness.writable {
                let (first, second) = after(first, second, sent);
                sent += send(stream, readiness, first, second)?;
            }
            if sent == all {
                return Ok(());
            }
        }
        let (first, second) = after(first, second, sent);
        self.bytes.reserve_exact(first.len() + second.len());
        self.bytes.extend_from_slice(first);
        self.bytes.extend_from_slice(second);
        Ok(())
    }

    /// Frees memory that is not used.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() {
            self.sent = 0;
            self.bytes = Vec::new();
        } else if self.bytes.capacity() - self.bytes.len() > MAX_SLACK {
            self.bytes.shrink_to_fit();
        }
    }
}

// Private

/// What is left of two parts after `sent` bytes.
fn after<'a>(first: &'a [u8], second: &'a [u8], sent: usize) -> (&'a [u8], &'a [u8]) {
    if sent <= first.len() {
        (&first[sent..], second)
    } else {
        (&[], &second[sent - first.len()..])
    }
}

/// Sends once; a short write means that the receiver takes no more now.
pub(super) fn send(
    mut stream: &TcpStream,
    readiness: &mut Readiness,
    first: &[u8],
    second: &[u8],
) -> io::Result<usize> {
    let written = match (first, second) {
        (all, []) | ([], all) => stream.write(all),
        _ => stream.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]),
    };
    match written {
        Ok(sent) => {
            readiness.writable = sent == first.len() + second.len();
            Ok(sent)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            readiness.writable = false;
            Ok(0)
        }
        Err(error) => Err(error),
    }
}
