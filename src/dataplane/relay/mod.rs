//! Bytes between two ends, both ways, as a machine that owns neither sockets nor buffers.
//!
//! Each direction goes its own way, so that one may end while the other goes on (half-close):
//!
//! ```text
//!   Open ── source ended ──▶ Ending ── all sent, target told ──▶ Closed
//!     └──────────────── target takes nothing more ────────────────▲
//! ```
//!
//! What the target does not take at once is stuck: it is kept, and nothing more is read before it is sent. That is all the
//! memory that a connection ever has. Readiness comes from the outside (edges), and is believed until a call says otherwise;
//! so an end that is not writable yet, as it is still being connected, is left in peace, and what is for it is stuck.

use std::io;

/// Reads of one direction before others get their turn.
const ROUNDS: usize = 4;

/// One end of a connection.
pub trait End {
    /// Reads; 0 is the end of its input.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, anything else when the connection is broken.
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as is taken at once.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is taken, anything else when the connection is broken.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Tells the other side that nothing more comes.
    ///
    /// # Errors
    /// When the connection is broken.
    fn finish(&mut self) -> io::Result<()>;
}

/// Decides how much of what a client sends may pass now.
pub trait Gate {
    /// How many bytes at the beginning of `bytes` may pass. What may not is shown again later, when the relay is
    /// stepped after [`Relay::reopen`].
    fn admit(&mut self, bytes: &[u8]) -> usize;
}

/// Lets everything pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenGate;

impl Gate for OpenGate {
    fn admit(&mut self, bytes: &[u8]) -> usize {
        bytes.len()
    }
}

/// An end, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who connected to us.
    Client,
    /// Whom we connected to.
    Server,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing can be done before an end is ready again.
    Waits,
    /// There is more to do; others come first.
    More,
    /// The gate holds something back.
    Held,
    /// Both directions have ended: the sockets are to be closed.
    Done,
    /// An end broke the connection.
    Broken(Side, io::ErrorKind),
}

/// What is known of an end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readiness {
    /// A read may bring something.
    pub readable: bool,
    /// A write may be taken.
    pub writable: bool,
    /// What is to come from it.
    pub outlook: Outlook,
}

/// What is to come from an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outlook {
    /// As much as it likes.
    #[default]
    Open,
    /// Its input ends behind what is there: reading is to go on until that is met.
    Ending,
    /// It is broken, whether anybody reads it or not.
    Failed,
}

/// A connection between two ends.
#[derive(Debug, Default)]
pub struct Relay {
    /// Of the client.
    pub client: Readiness,
    /// Of the server.
    pub server: Readiness,
    up: Direction,
    down: Direction,
}

#[derive(Debug, Default)]
struct Direction {
    flow: Flow,
    stuck: Option<Box<Stuck>>,
    /// The gate has said no.
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

/// Bytes that were read and not sent.
#[derive(Debug)]
struct Stuck {
    bytes: Vec<u8>,
    sent: usize,
    /// How far the gate lets them go.
    admitted: usize,
}

/// Why one direction stopped.
enum Stop {
    Waits,
    More,
    Held,
    /// Its source is broken.
    Broken(io::ErrorKind),
    /// Its target takes nothing more.
    Refused,
}

impl Relay {
    /// Moves what can be moved, through `buffer`.
    pub fn transfer(
        &mut self,
        client: &mut impl End,
        server: &mut impl End,
        buffer: &mut [u8],
        gate: &mut impl Gate,
    ) -> Step {
        // Where nothing is read any more, no read can tell. What a client has said that breaks off need not arrive, but
        // its server must hear of that, though it does not read; what a server has said, its client may still want.
        for (readiness, deaf, side) in [
            (
                &self.client,
                self.up.flow != Flow::Open || self.up.stuck.is_some(),
                Side::Client,
            ),
            (&self.server, self.down.flow != Flow::Open, Side::Server),
        ] {
            if readiness.outlook == Outlook::Failed && deaf {
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
            // Whether it has said why before is asked next; a server that was never there must not be heard at all.
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

    /// The gate may be asked again.
    pub fn reopen(&mut self) {
        self.up.held = false;
    }

    /// Another server is to be found: nothing is known of it, and it gets all that the client has said. Only while no
    /// server has taken anything.
    pub fn begin_anew(&mut self) {
        self.server = Readiness::default();
        self.up.flow = Flow::Open;
        // Its end was perhaps read already, and can be read again.
        self.client.readable = true;
    }

    /// Whether what the client has said waits for the server.
    #[must_use]
    pub const fn has_said(&self) -> bool {
        self.up.stuck.is_some()
    }

    /// What is known of an end.
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

    /// Whether nothing has gone either way, nor the client been told of an end, so that another server may take it.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let unsent = self
            .up
            .stuck
            .as_ref()
            .map_or(0, |stuck| if stuck.sent == 0 { stuck.bytes.len() } else { 0 });
        self.up.bytes == unsent as u64 && self.down.bytes == 0 && self.down.flow == Flow::Open
    }
}

// Private

impl Direction {
    /// Moves what can be moved; `last` when the other direction is closed, so that closing both sockets tells the target.
    fn pump<F: End, T: End>(
        &mut self,
        (source, from): (&mut Readiness, &mut F),
        (target, to): (&mut Readiness, &mut T),
        buffer: &mut [u8],
        gate: &mut impl Gate,
        last: bool,
    ) -> Stop {
        for _ in 0..ROUNDS {
            if self.stuck.is_some() && self.flow != Flow::Closed {
                match self.unstick(target, to, gate) {
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
            // A read that did not fill the buffer has emptied the socket: what comes later makes an edge of its own.
            source.readable = read == buffer.len() || source.outlook != Outlook::Open;
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

    /// Sends `bytes`; what does not go is stuck.
    fn forward<T: End>(
        &mut self,
        bytes: &[u8],
        target: &mut Readiness,
        to: &mut T,
        gate: &mut impl Gate,
    ) -> Result<(), Stop> {
        let admitted = gate.admit(bytes).min(bytes.len());
        // What was not sent before the target refused is kept: another one may take it.
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
        self.stuck = Some(Box::new(Stuck {
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

    /// Sends what is stuck, all of it or as far as it goes.
    fn unstick<T: End>(
        &mut self,
        target: &mut Readiness,
        to: &mut T,
        gate: &mut impl Gate,
    ) -> Result<(), Stop> {
        while let Some(stuck) = &mut self.stuck {
            if stuck.sent == stuck.admitted {
                if self.held {
                    return Err(Stop::Held);
                }
                stuck.admitted += gate
                    .admit(&stuck.bytes[stuck.sent..])
                    .min(stuck.bytes.len() - stuck.sent);
                self.held = stuck.sent == stuck.admitted;
                continue;
            }
            if !target.writable {
                return Err(Stop::Waits);
            }
            stuck.sent += send(target, to, &stuck.bytes[stuck.sent..stuck.admitted])?;
            if stuck.sent == stuck.bytes.len() {
                self.stuck = None;
            }
        }
        Ok(())
    }

    /// Notes that the target takes nothing more. What it still says is worth hearing.
    fn stopped(&mut self, stop: Stop, target: &mut Readiness) -> Stop {
        if matches!(stop, Stop::Refused) {
            self.flow = Flow::Closed;
            target.readable = true;
            target.outlook = target.outlook.max(Outlook::Ending);
        }
        stop
    }
}

/// Sends at once what is taken at once.
fn send(target: &mut Readiness, to: &mut impl End, bytes: &[u8]) -> Result<usize, Stop> {
    let mut sent = 0;
    while sent < bytes.len() {
        match to.send(&bytes[sent..]) {
            // A short write has filled the socket: a second one would only say so.
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
