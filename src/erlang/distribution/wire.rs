//! Messages on a connection, each after its length: two bytes in the handshake and four later.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest message that is read, in bytes.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

/// The most bytes of one read: memory grows with what arrives, not with the announced length.
const READ_SIZE: usize = 64 * 1024;

/// A message without content: a sign of life.
const TICK: [u8; 4] = [0; 4];

/// A connection to a node. Its operations are cancel-safe: nothing is lost.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    incoming: BytesMut,
    outgoing: BytesMut,
}

/// Why there is no next message.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The other end has closed the connection.
    #[error("closed")]
    Closed,
    /// The other end has closed the connection within a message.
    #[error("half a message")]
    Cut,
    /// A network error.
    #[error(transparent)]
    Io(io::Error),
    /// It is longer than [`MAX_FRAME`].
    #[error("a message of {0} bytes, more than {MAX_FRAME}")]
    TooLong(usize),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> WireError {
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::WriteZero => WireError::Closed,
            _ => WireError::Io(error),
        }
    }
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Wire {
        Wire {
            stream,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
        }
    }

    /// Queues a message of the handshake; [`Wire::next_message`] sends it.
    pub(super) fn queue(&mut self, message: &[u8]) {
        // These messages are short.
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        self.outgoing.extend(length.to_be_bytes());
        self.outgoing.extend(message);
    }

    /// Sends the queue; returns the next message of the handshake.
    pub(super) async fn next_message(&mut self) -> Result<Bytes, WireError> {
        self.flush().await?;
        self.frame::<2>().await
    }

    /// Queues a message; [`Wire::next`] sends it.
    pub(super) fn send(&mut self, message: &[u8]) {
        // Requests are far below 4 GB.
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        self.outgoing.extend(length.to_be_bytes());
        self.outgoing.extend(message);
    }

    /// Sends the queue; returns the next message. Answers ticks in between.
    pub(super) async fn next(&mut self) -> Result<Bytes, WireError> {
        loop {
            self.flush().await?;
            let message = self.frame::<4>().await?;
            if !message.is_empty() {
                return Ok(message);
            }
            self.outgoing.extend(TICK);
        }
    }

    // Private

    async fn flush(&mut self) -> Result<(), WireError> {
        while self.outgoing.has_remaining() {
            self.stream.write_buf(&mut self.outgoing).await?;
        }
        Ok(())
    }

    /// The next message, after its length in `HEAD` bytes.
    async fn frame<const HEAD: usize>(&mut self) -> Result<Bytes, WireError> {
        self.fill(HEAD).await?;
        let length = self.incoming[..HEAD]
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        if length > MAX_FRAME {
            return Err(WireError::TooLong(length));
        }
        self.fill(HEAD + length).await?;
        self.incoming.advance(HEAD);
        Ok(self.incoming.split_to(length).freeze())
    }

    /// Reads until `count` bytes are available.
    async fn fill(&mut self, count: usize) -> Result<(), WireError> {
        while self.incoming.len() < count {
            self.incoming
                .reserve((count - self.incoming.len()).min(READ_SIZE));
            if self.stream.read_buf(&mut self.incoming).await? == 0 {
                return Err(if self.incoming.is_empty() {
                    WireError::Closed
                } else {
                    WireError::Cut
                });
            }
        }
        Ok(())
    }
}
