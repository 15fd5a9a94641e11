//! Relays bytes between two ends in both directions, as a state machine without sockets and
//! buffers.
//!
//! Each direction is independent, so that one may end while the other continues (half-close):
//!
//! ```text
//!   Open ── source ended ──▶ Ending ── all sent, end written ──▶ Closed
//!     └──────────────── target takes no more data ────────────────▲
//! ```
//!
//! Bytes that the target does not take at once are stuck: they are kept, and the relay reads no
//! more before they are sent. A connection never needs more memory than this. So reads are short at
//! first, which most messages are. When more bytes come than such a read takes, they are a bulk: the
//! relay looks at many of them at once, sends them, and takes from the source only what the target
//! took, so that the rest is stuck in the source's kernel buffer instead of here.
//!
//! Readiness comes from outside (edges), and holds until a call returns `WouldBlock`; so an end that
//! is not writable yet, because it is still connecting, is not used, and its bytes are stuck.

mod direction;
#[cfg(test)]
mod tests;

use std::io;

use self::direction::{Direction, Stop};

/// The most bytes that can be stuck in one direction.
pub const MAX_STUCK: usize = 8 * 1024;

/// One end of a connection.
pub trait End {
    /// Reads; 0 is the end of its input.
    ///
    /// # Errors
    /// `WouldBlock` when no bytes are available, anything else when the connection is broken.
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize>;

    /// Reads like [`receive`](End::receive), but takes nothing: the next read returns the same bytes.
    ///
    /// # Errors
    /// As for [`receive`](End::receive).
    fn peek(&mut self, room: &mut [u8]) -> io::Result<usize>;

    /// Takes the first bytes of what [`peek`](End::peek) returned, as many as `bytes` has. Their
    /// values in `bytes` are lost.
    ///
    /// # Errors
    /// When the connection is broken.
    fn discard(&mut self, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes as much as is taken at once.
    ///
    /// # Errors
    /// `WouldBlock` when no bytes are taken, anything else when the connection is broken.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Signals the end of the stream to the other side.
    ///
    /// # Errors
    /// When the connection is broken.
    fn finish(&mut self) -> io::Result<()>;
}

/// Decides how much of what a client sends may pass now.
pub trait Gate {
    /// How many bytes at the beginning of `bytes` may pass. The other bytes are passed again later,
    /// when the relay is stepped after [`Relay::reopen`].
    fn admit(&mut self, bytes: &[u8]) -> usize;
}

/// Admits all bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenGate;

impl Gate for OpenGate {
    fn admit(&mut self, bytes: &[u8]) -> usize {
        bytes.len()
    }
}

/// The side of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that connected to this process.
    Client,
    /// The side that this process connected to.
    Server,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// No bytes can move before an end is ready again.
    Waits,
    /// There is more to do, after other sessions had their turn.
    More,
    /// The gate holds bytes back.
    Held,
    /// Both directions have ended: close the sockets.
    Done,
    /// An end broke the connection.
    Broken(Side, io::ErrorKind),
}

/// The known state of an end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readiness {
    /// A read may return bytes.
    pub readable: bool,
    /// A write may be accepted.
    pub writable: bool,
    /// The expected input.
    pub input: InputState,
}

/// The expected input of an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputState {
    /// Any amount.
    #[default]
    Open,
    /// Its input ends after what is available: reading must continue up to the end.
    Ending,
    /// The connection is broken, even if no read reports it.
    Failed,
}

/// A connection between two ends.
#[derive(Debug, Default)]
pub struct Relay {
    /// The state of the client's end.
    pub client: Readiness,
    /// The state of the server's end.
    pub server: Readiness,
    up: Direction,
    down: Direction,
}

impl Relay {
    /// Moves as many bytes as possible, through `buffer`.
    pub fn transfer(
        &mut self,
        client: &mut impl End,
        server: &mut impl End,
        buffer: &mut [u8],
        gate: &mut impl Gate,
    ) -> Step {
        // When a side is no longer read, a read cannot report its failure. If a client breaks the
        // connection, its bytes need not arrive, but its server must be notified although it is not
        // read; the bytes of a broken server may still be wanted by its client.
        for (readiness, unread, side) in [
            (&self.client, !self.up.reads(self.server), Side::Client),
            (&self.server, !self.down.is_open(), Side::Server),
        ] {
            if readiness.input == InputState::Failed && unread {
                return Step::Broken(side, io::ErrorKind::ConnectionReset);
            }
        }
        let last = self.down.is_closed();
        let up = self.up.pump(
            (&mut self.client, client),
            (&mut self.server, server),
            buffer,
            gate,
            last,
        );
        match up {
            Stop::Broken(kind) => return Step::Broken(Side::Client, kind),
            // The next step reads whether the side has sent a reason; a server that never connected
            // must not be read at all.
            Stop::Refused => return Step::More,
            Stop::Waits | Stop::More | Stop::Held => {}
        }
        let last = self.up.is_closed();
        let down = self.down.pump(
            (&mut self.server, server),
            (&mut self.client, client),
            buffer,
            &mut OpenGate,
            last,
        );
        if let Stop::Broken(kind) = down {
            return Step::Broken(Side::Server, kind);
        }
        if self.up.is_closed() && self.down.is_closed() {
            return Step::Done;
        }
        match (up, down) {
            (Stop::More, _) | (_, Stop::More | Stop::Refused) => Step::More,
            (Stop::Held, _) => Step::Held,
            _ => Step::Waits,
        }
    }

    /// Lets the relay call the gate again.
    pub fn reopen(&mut self) {
        self.up.reopen();
    }

    /// Resets the server's side for another server, which gets all that the client has sent. Only
    /// valid while no server has taken any bytes.
    pub fn restart(&mut self) {
        self.server = Readiness::default();
        self.up.restart();
        // Its end was perhaps read already, and can be read again.
        self.client.readable = true;
    }

    /// Whether bytes of the client wait for the server.
    #[must_use]
    pub const fn has_pending(&self) -> bool {
        self.up.has_pending()
    }

    /// The known state of an end.
    pub fn readiness(&mut self, side: Side) -> &mut Readiness {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Bytes read from the client so far.
    #[must_use]
    pub const fn bytes_up(&self) -> u64 {
        self.up.bytes()
    }

    /// Bytes read from the server so far.
    #[must_use]
    pub const fn bytes_down(&self) -> u64 {
        self.down.bytes()
    }

    /// Whether the server has ended its side while the client has not.
    #[must_use]
    pub fn is_left_by_server(&self) -> bool {
        !self.down.is_open() && self.up.is_open()
    }

    /// Whether both directions are open, and no bytes wait to be sent.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.up.is_at_rest() && self.down.is_at_rest()
    }

    /// Whether the client has ended its direction, and all of its bytes were sent; or the server takes no
    /// more.
    #[must_use]
    pub fn is_closed_by_client(&self) -> bool {
        self.up.is_closed()
    }

    /// Whether the server has ended its direction, and all of its bytes and the end were sent; or the
    /// client takes no more.
    #[must_use]
    pub fn is_closed_by_server(&self) -> bool {
        self.down.is_closed()
    }

    /// Whether no byte has moved in either direction, and the end was not sent to the client, so
    /// that another server may take the client.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.up.has_sent_nothing() && self.down.bytes() == 0 && self.down.is_open()
    }
}
