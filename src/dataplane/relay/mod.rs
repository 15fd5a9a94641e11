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
//! more before they are sent. A connection never needs more memory than this. Readiness comes from
//! outside (edges), and holds until a call returns `WouldBlock`; so an end that is not writable
//! yet, because it is still connecting, is not used, and its bytes are stuck.

use std::io;

/// Reads of one direction before other sessions get their turn.
const ROUNDS: usize = 4;

/// One end of a connection.
pub trait End {
    /// Reads; 0 is the end of its input.
    ///
    /// # Errors
    /// `WouldBlock` when no bytes are available, anything else when the connection is broken.
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize>;

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

#[derive(Debug, Default)]
struct Direction {
    flow: Flow,
    pending: Option<Box<Pending>>,
    /// Whether the gate has refused bytes.
    held: bool,
    /// Bytes read so far.
    bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flow {
    #[default]
    Open,
    Ending,
    Closed,
}

/// Bytes that were read and are not sent yet.
#[derive(Debug)]
struct Pending {
    bytes: Vec<u8>,
    sent: usize,
    /// How many bytes the gate has admitted.
    admitted: usize,
}

/// Why one direction stopped.
enum Stop {
    Waits,
    More,
    Held,
    /// Its source is broken.
    Broken(io::ErrorKind),
    /// The target takes no more bytes.
    Refused,
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
            (
                &self.client,
                self.up.flow != Flow::Open || self.up.pending.is_some(),
                Side::Client,
            ),
            (&self.server, self.down.flow != Flow::Open, Side::Server),
        ] {
            if readiness.input == InputState::Failed && unread {
                return Step::Broken(side, io::ErrorKind::ConnectionReset);
            }
        }
        let last = self.down.flow == Flow::Closed;
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
        let last = self.up.flow == Flow::Closed;
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
        if self.up.flow == Flow::Closed && self.down.flow == Flow::Closed {
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
        self.up.held = false;
    }

    /// Resets the server's side for another server, which gets all that the client has sent. Only
    /// valid while no server has taken any bytes.
    pub fn restart(&mut self) {
        self.server = Readiness::default();
        self.up.flow = Flow::Open;
        // Its end was perhaps read already, and can be read again.
        self.client.readable = true;
    }

    /// Whether bytes of the client wait for the server.
    #[must_use]
    pub const fn has_pending(&self) -> bool {
        self.up.pending.is_some()
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
        self.up.bytes
    }

    /// Bytes read from the server so far.
    #[must_use]
    pub const fn bytes_down(&self) -> u64 {
        self.down.bytes
    }

    /// Whether the server has ended its side while the client has not.
    #[must_use]
    pub fn is_left_by_server(&self) -> bool {
        self.down.flow != Flow::Open && self.up.flow == Flow::Open
    }

    /// Whether no byte has moved in either direction, and the end was not sent to the client, so
    /// that another server may take the client.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let unsent =
            self.up.pending.as_ref().map_or(
                0,
                |pending| if pending.sent == 0 { pending.bytes.len() } else { 0 },
            );
        self.up.bytes == unsent as u64 && self.down.bytes == 0 && self.down.flow == Flow::Open
    }
}

// Private

impl Direction {
    /// Moves as many bytes as possible; `last` if the other direction is closed, so that closing
    /// both sockets signals the end to the target.
    fn pump<F: End, T: End>(
        &mut self,
        (source, from): (&mut Readiness, &mut F),
        (target, to): (&mut Readiness, &mut T),
        buffer: &mut [u8],
        gate: &mut impl Gate,
        last: bool,
    ) -> Stop {
        for _ in 0..ROUNDS {
            if self.pending.is_some() && self.flow != Flow::Closed {
                match self.send_pending(target, to, gate) {
                    Ok(()) => {}
                    Err(stop) => return self.stopped(stop, target),
                }
            }
            match self.flow {
                Flow::Open if source.readable => {}
                Flow::Ending if target.writable => {
                    self.flow = Flow::Closed;
                    if last || to.finish().is_ok() {
                        return Stop::Waits;
                    }
                    return self.stopped(Stop::Refused, target);
                }
                Flow::Open | Flow::Ending | Flow::Closed => return Stop::Waits,
            }
            let read = match from.receive(buffer) {
                Ok(0) => {
                    source.readable = false;
                    self.flow = Flow::Ending;
                    continue;
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    source.readable = false;
                    return Stop::Waits;
                }
                Err(error) => return Stop::Broken(error.kind()),
            };
            // A read that did not fill the buffer has emptied the socket: later bytes trigger a new
            // edge.
            source.readable = read == buffer.len() || source.input != InputState::Open;
            self.bytes += read as u64;
            if let Err(stop) = self.forward(&buffer[..read], target, to, gate) {
                return self.stopped(stop, target);
            }
        }
        if source.readable || (self.flow == Flow::Ending && target.writable) {
            Stop::More
        } else {
            Stop::Waits
        }
    }

    /// Sends `bytes`; the rest is stuck.
    fn forward<T: End>(
        &mut self,
        bytes: &[u8],
        target: &mut Readiness,
        to: &mut T,
        gate: &mut impl Gate,
    ) -> Result<(), Stop> {
        let admitted = gate.admit(bytes).min(bytes.len());
        // What was not sent before the target refused is kept: another target may take it.
        let sent = if target.writable {
            send(target, to, &bytes[..admitted])
        } else {
            Ok(0)
        };
        if matches!(sent, Ok(sent) if sent == bytes.len()) {
            return Ok(());
        }
        let refused = sent.is_err();
        let sent = sent.unwrap_or(0);
        self.pending = Some(Box::new(Pending {
            bytes: bytes[sent..].to_vec(),
            sent: 0,
            admitted: admitted - sent,
        }));
        if refused {
            return Err(Stop::Refused);
        }
        if sent < admitted {
            return Err(Stop::Waits);
        }
        self.held = true;
        Err(Stop::Held)
    }

    /// Sends the stuck bytes, as far as the target takes them.
    fn send_pending<T: End>(
        &mut self,
        target: &mut Readiness,
        to: &mut T,
        gate: &mut impl Gate,
    ) -> Result<(), Stop> {
        while let Some(pending) = &mut self.pending {
            if pending.sent == pending.admitted {
                if self.held {
                    return Err(Stop::Held);
                }
                pending.admitted += gate
                    .admit(&pending.bytes[pending.sent..])
                    .min(pending.bytes.len() - pending.sent);
                self.held = pending.sent == pending.admitted;
                continue;
            }
            if !target.writable {
                return Err(Stop::Waits);
            }
            pending.sent += send(target, to, &pending.bytes[pending.sent..pending.admitted])?;
            if pending.sent == pending.bytes.len() {
                self.pending = None;
            }
        }
        Ok(())
    }

    /// Records that the target takes no more bytes. Its own bytes are still read.
    fn stopped(&mut self, stop: Stop, target: &mut Readiness) -> Stop {
        if matches!(stop, Stop::Refused) {
            self.flow = Flow::Closed;
            target.readable = true;
            target.input = target.input.max(InputState::Ending);
        }
        stop
    }
}

/// Sends as much as the target takes at once.
fn send(target: &mut Readiness, to: &mut impl End, bytes: &[u8]) -> Result<usize, Stop> {
    let mut sent = 0;
    while sent < bytes.len() {
        match to.send(&bytes[sent..]) {
            // A short write has filled the socket: a second one would only return `WouldBlock`.
            Ok(taken) if taken < bytes.len() - sent => {
                target.writable = false;
                return Ok(sent + taken);
            }
            Ok(taken) => sent += taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                target.writable = false;
                break;
            }
            Err(_) => return Err(Stop::Refused),
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests;
