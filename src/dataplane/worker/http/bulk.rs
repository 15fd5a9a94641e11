//! Passes large bodies as they are: what the receiver does not take stays in the sender's kernel
//! buffer.

use std::io;

use mio::net::TcpStream;

use super::client::{Client, Phase};
use super::exchanging::{Stop, refused};
use super::{READ, ServerConnection};
use crate::dataplane::relay::{InputState, Readiness};
use crate::dataplane::worker::Worker;
use crate::platform::receive_queue;

/// The result of passing a large part of a body.
pub(super) enum BulkStep {
    /// It is not such a body.
    NoBulk,
    /// Bytes have passed, and more may come.
    Passed,
    /// No more bytes can pass now.
    Stopped(Stop),
}

/// A sender and a receiver.
struct Bulk<'a> {
    from: (&'a TcpStream, &'a mut Readiness),
    to: (&'a TcpStream, &'a mut Readiness),
}

/// Why no bytes can pass any more.
#[derive(Debug)]
enum BulkError {
    /// The sender is broken, or has ended.
    From(io::ErrorKind),
    /// The receiver takes no more.
    To,
}

impl Worker {
    /// Passes a large part of a request whose bytes pass as they are, without keeping any of them.
    pub(super) fn pass_bulk_request(
        &mut self,
        client: &mut Client,
        connection: &mut ServerConnection,
    ) -> BulkStep {
        let limits = self.topology.http_limits;
        let Phase::Exchanging(active) = &mut client.phase else {
            return BulkStep::NoBulk;
        };
        let plain = active.exchange.plain_request();
        if !client.input.is_empty() || !active.request.is_empty() || !is_bulk(plain) {
            return BulkStep::NoBulk;
        }
        let room = bulk_room(&mut self.buffer, plain);
        let mut up = Bulk {
            from: (&client.stream, &mut client.readiness),
            to: (&connection.stream, &mut connection.readiness),
        };
        match up.pass(room) {
            Ok(0) => BulkStep::Stopped(Stop::Wait),
            Ok(sent) => {
                client.last_active = self.now;
                active.bytes.0 += sent as u64;
                let passed = active
                    .exchange
                    .pass_request(&room[..sent], &limits, &mut Vec::new());
                match passed {
                    Ok(_) => BulkStep::Passed,
                    Err(rejection) => BulkStep::Stopped(Stop::Rejected(rejection)),
                }
            }
            Err(BulkError::From(_)) => BulkStep::Stopped(Stop::ClientGone),
            Err(BulkError::To) => BulkStep::Stopped(refused(active, connection)),
        }
    }

    /// Passes a large part of an answer whose bytes pass as they are, without keeping any of them.
    pub(super) fn pass_bulk_answer(
        &mut self,
        client: &mut Client,
        connection: &mut ServerConnection,
        buffer: &mut [u8],
    ) -> BulkStep {
        let limits = self.topology.http_limits;
        let Phase::Exchanging(active) = &mut client.phase else {
            return BulkStep::NoBulk;
        };
        let plain = active.exchange.plain_answer();
        if active.held.is_some() || !connection.input.is_empty() || !is_bulk(plain) {
            return BulkStep::NoBulk;
        }
        let room = bulk_room(buffer, plain);
        let mut down = Bulk {
            from: (&connection.stream, &mut connection.readiness),
            to: (&client.stream, &mut client.readiness),
        };
        match down.pass(room) {
            Ok(0) => BulkStep::Stopped(Stop::Wait),
            Ok(sent) => {
                client.last_active = self.now;
                active.bytes.1 += sent as u64;
                match active
                    .exchange
                    .pass_answer(&room[..sent], &limits, &mut Vec::new())
                {
                    Ok(_) if active.exchange.is_answer_done() => BulkStep::Stopped(Stop::Answered),
                    Ok(_) => BulkStep::Passed,
                    Err(invalid) => BulkStep::Stopped(Stop::Invalid(invalid)),
                }
            }
            Err(BulkError::From(io::ErrorKind::UnexpectedEof)) => {
                BulkStep::Stopped(self.answer_ended(client))
            }
            Err(BulkError::From(kind)) => BulkStep::Stopped(Stop::ServerGone(kind)),
            Err(BulkError::To) => BulkStep::Stopped(Stop::ClientGone),
        }
    }
}

// Private

/// Whether this many bytes, all of which pass as they are, are worth it.
const fn is_bulk(plain: Option<u64>) -> bool {
    matches!(plain, Some(plain) if plain > READ as u64)
}

/// Room for these bytes.
fn bulk_room(buffer: &mut [u8], plain: Option<u64>) -> &mut [u8] {
    let plain = plain.and_then(|plain| usize::try_from(plain).ok());
    let room = plain.map_or(buffer.len(), |plain| plain.min(buffer.len()));
    &mut buffer[..room]
}

impl Bulk<'_> {
    /// Passes bytes through `room`, and returns how many; 0 if none can pass now. They are in `room`
    /// afterwards.
    ///
    /// # Errors
    /// If one side is broken.
    fn pass(&mut self, room: &mut [u8]) -> Result<usize, BulkError> {
        let ((from, source), (to, target)) = (&mut self.from, &mut self.to);
        if !source.readable || !target.writable {
            return Ok(0);
        }
        let found = match peek(from, room) {
            Ok(0) => return Err(BulkError::From(io::ErrorKind::UnexpectedEof)),
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                source.readable = false;
                return Ok(0);
            }
            Err(error) => return Err(BulkError::From(error.kind())),
        };
        let sent = super::outbox::send(to, target, &room[..found], &[]).map_err(|_| BulkError::To)?;
        if sent > 0 {
            receive_queue::discard(*from, &mut room[..sent])
                .map_err(|error| BulkError::From(error.kind()))?;
        }
        // What is left triggers no new edge.
        source.readable = sent < found || found == room.len() || source.input != InputState::Open;
        Ok(sent)
    }
}

/// Reads what is there, and leaves it there.
fn peek(from: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.peek(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            peeked => return peeked,
        }
    }
}
