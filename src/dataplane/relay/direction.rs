//! One direction of a relay: what is read from its source is sent to its target.

use std::io;

use super::{End, Gate, InputState, MAX_STUCK, Readiness};

/// Reads of one direction before other sessions get their turn.
const ROUNDS: usize = 4;

/// One direction of a relay.
#[derive(Debug, Default)]
pub(super) struct Direction {
    flow: Flow,
    pending: Option<Box<Pending>>,
    /// Whether the gate has refused bytes.
    held: bool,
    /// Whether the last read found more bytes than a short read takes.
    is_bulk: bool,
    /// How many bytes at the beginning of a bulk the gate has admitted.
    admitted: u32,
    /// Bytes taken from the source so far.
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
pub(super) enum Stop {
    /// No bytes can move before an end is ready again.
    Waits,
    /// There is more to do.
    More,
    /// The gate holds bytes back.
    Held,
    /// Its source is broken.
    Broken(io::ErrorKind),
    /// The target takes no more bytes.
    Refused,
}

impl Direction {
    /// Whether its source has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.flow == Flow::Open
    }

    /// Whether its source has not ended, and no bytes wait to be sent.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_open() && self.pending.is_none() && !self.held
    }

    /// Whether all bytes and the end were sent, or the target takes no more.
    pub(super) fn is_closed(&self) -> bool {
        self.flow == Flow::Closed
    }

    /// Whether bytes are stuck.
    pub(super) const fn has_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// How many bytes are stuck.
    pub(super) fn stuck(&self) -> usize {
        let pending = self.pending.as_ref();
        pending.map_or(0, |pending| pending.bytes.len() - pending.sent)
    }

    /// Whether the target took none of the bytes that were read.
    pub(super) fn has_sent_nothing(&self) -> bool {
        self.bytes == self.stuck() as u64
    }

    /// Bytes taken from the source so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lets it call the gate again.
    pub(super) fn reopen(&mut self) {
        self.held = false;
    }

    /// Begins again with another target. What is stuck is kept.
    pub(super) fn restart(&mut self) {
        self.flow = Flow::Open;
    }

    /// Whether it would notice, by a read, that its source is broken.
    pub(super) fn reads(&self, target: Readiness) -> bool {
        let is_stuck = self.pending.is_some() || self.is_bulk && (self.held || !target.writable);
        self.flow == Flow::Open && !is_stuck
    }

    /// Moves as many bytes as possible; `last` if the other direction is closed, so that closing
    /// both sockets signals the end to the target.
    pub(super) fn pump<F: End, T: End>(
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
                Flow::Open if source.readable && (target.writable || !self.is_bulk) => {}
                Flow::Ending if target.writable => {
                    self.flow = Flow::Closed;
                    if last || to.finish().is_ok() {
                        return Stop::Waits;
                    }
                    return self.stopped(Stop::Refused, target);
                }
                Flow::Open | Flow::Ending | Flow::Closed => return Stop::Waits,
            }
            let moved = if self.is_bulk {
                self.forward_bulk((source, from), (target, to), buffer, gate)
            } else {
                self.forward((source, from), (target, to), buffer, gate)
            };
            if let Err(stop) = moved {
                return self.stopped(stop, target);
            }
        }
        if source.readable || (self.flow == Flow::Ending && target.writable) {
            Stop::More
        } else {
            Stop::Waits
        }
    }

    // Private

    /// Moves one short read; what is not sent of it is stuck.
    fn forward<F: End, T: End>(
        &mut self,
        (source, from): (&mut Readiness, &mut F),
        (target, to): (&mut Readiness, &mut T),
        buffer: &mut [u8],
        gate: &mut impl Gate,
    ) -> Result<(), Stop> {
        let room = buffer.len().min(MAX_STUCK);
        let buffer = &mut buffer[..room];
        let Some(read) = self.read(source, room, from.receive(buffer))? else {
            return Ok(());
        };
        self.is_bulk = read == room;
        self.bytes += read as u64;
        let bytes = &buffer[..read];
        let admitted = gate.admit(bytes).min(read);
        // What was not sent before the target refused is kept: another target may take it.
        let sent = if target.writable {
            send(target, to, &bytes[..admitted])
        } else {
            Ok(0)
        };
        if matches!(sent, Ok(sent) if sent == read) {
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

    /// Moves as much of a bulk as the target takes; the rest stays with the source.
    fn forward_bulk<F: End, T: End>(
        &mut self,
        (source, from): (&mut Readiness, &mut F),
        (target, to): (&mut Readiness, &mut T),
        buffer: &mut [u8],
        gate: &mut impl Gate,
    ) -> Result<(), Stop> {
        if self.held {
            return Err(Stop::Held);
        }
        let Some(found) = self.read(source, buffer.len(), from.peek(buffer))? else {
            return Ok(());
        };
        let mut admitted = found.min(self.admitted as usize);
        if admitted < found {
            admitted += gate.admit(&buffer[admitted..found]).min(found - admitted);
        }
        self.admitted = u32::try_from(admitted).unwrap_or(u32::MAX);
        let sent = send(target, to, &buffer[..admitted])?;
        if sent > 0 {
            from.discard(&mut buffer[..sent])
                .map_err(|error| Stop::Broken(error.kind()))?;
        }
        self.admitted = u32::try_from(admitted - sent).unwrap_or(u32::MAX);
        self.bytes += sent as u64;
        if sent == found {
            self.is_bulk = found >= MAX_STUCK;
            return Ok(());
        }
        // The rest is still there, and triggers no new edge.
        source.readable = true;
        if sent < admitted {
            return Err(Stop::Waits);
        }
        self.held = true;
        Err(Stop::Held)
    }

    /// The number of bytes that a read into `room` bytes returned; `None` at the end, or if it has
    /// to be repeated.
    fn read(
        &mut self,
        source: &mut Readiness,
        room: usize,
        read: io::Result<usize>,
    ) -> Result<Option<usize>, Stop> {
        match read {
            Ok(0) => {
                source.readable = false;
                self.flow = Flow::Ending;
                Ok(None)
            }
            Ok(read) => {
                // A read that did not fill its room has emptied the socket: later bytes trigger a
                // new edge.
                source.readable = read == room || source.input != InputState::Open;
                Ok(Some(read))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                source.readable = false;
                Err(Stop::Waits)
            }
            Err(error) => Err(Stop::Broken(error.kind())),
        }
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

// Private

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
