//! Passes a request and its answer between a client and a server.

use std::io;

use super::bulk::BulkStep;
use super::client::{Active, Client, Phase, Stage};
use super::counting::count_invalid_answer;
use super::outbox::Outbox;
use super::own_answers::OwnAnswer;
use super::{Next, READ, ROUNDS, ServerConnection, read};
use crate::dataplane::http::{InvalidAnswer, Limits, Rejection};
use crate::dataplane::relay::InputState;
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::session::EndReason;
use crate::mcp::GatewayError;

/// Why passing bytes stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// Nothing more can pass now.
    Wait,
    /// More can pass, after others had their turn.
    Later,
    /// The answer has ended.
    Answered,
    /// Bytes pass in both directions from now on; these came after the answer's head.
    Switched(Vec<u8>),
    /// The client is gone.
    ClientGone,
    /// The server's connection has ended before the answer was complete.
    ServerGone(io::ErrorKind),
    /// The request turned out not to be valid.
    Rejected(Rejection),
    /// The answer is not valid.
    Invalid(InvalidAnswer),
}

impl Worker {
    /// Continues the request of `client`.
    pub(super) fn continue_exchange(&mut self, client: &mut Client) -> Next {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Next::Wait;
        };
        // After a complete request it waits for no answer; an incomplete one never becomes complete.
        if client.readiness.input != InputState::Open {
            return Next::End(EndReason::Client);
        }
        match active.stage {
            Stage::New | Stage::Waiting | Stage::Pausing => Next::Wait,
            Stage::Connecting { server, .. } => self.check_connection(client, server),
            Stage::Connected { server, .. } => self.pass_exchange(client, server),
        }
    }

    // Private

    fn pass_exchange(&mut self, client: &mut Client, server: u32) -> Next {
        let Some(mut connection) = self.http.servers.take(server) else {
            return Next::End(EndReason::Server);
        };
        let mut stop = self.pass_request(client, &mut connection);
        if matches!(stop, Stop::Wait | Stop::Later) {
            let answer = self.pass_answer(client, &mut connection);
            if !(matches!(answer, Stop::Wait) && matches!(stop, Stop::Later)) {
                stop = answer;
            }
        }
        self.count_bytes(client);
        match stop {
            Stop::Wait => {
                self.rest_server(connection);
                Next::Wait
            }
            Stop::Later => {
                self.rest_server(connection);
                Next::Later
            }
            Stop::Answered => self.finish_exchange(client, connection),
            Stop::Switched(early) => self.switch(client, connection, &early),
            Stop::ClientGone => {
                self.http.servers.put(server, connection);
                Next::End(EndReason::Client)
            }
            Stop::ServerGone(kind) => self.server_gone(client, connection, kind),
            Stop::Rejected(rejection) => {
                self.http.servers.put(server, connection);
                self.give_up(client, OwnAnswer::Rejection(rejection), EndReason::Client)
            }
            Stop::Invalid(InvalidAnswer(why)) => {
                self.http.servers.put(server, connection);
                self.warn_invalid(client, why);
                let answer = OwnAnswer::Gateway(GatewayError::NodeFailed);
                self.give_up(client, answer, EndReason::Server)
            }
        }
    }

    /// Answers the client itself, unless an answer has begun.
    pub(super) fn give_up(&mut self, client: &mut Client, answer: OwnAnswer, why: EndReason) -> Next {
        match &client.phase {
            Phase::Exchanging(active) if !active.is_answered() => self.answer_in_place(client, answer),
            _ => {
                if why == EndReason::Server {
                    count_invalid_answer(client);
                }
                Next::End(why)
            }
        }
    }

    /// Passes the request's body on.
    fn pass_request(&mut self, client: &mut Client, connection: &mut ServerConnection) -> Stop {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Stop::Wait;
        };
        if active.node_refuses {
            return Stop::Wait;
        }
        if active
            .request
            .flush(&connection.stream, &mut connection.readiness)
            .is_err()
        {
            return refused(active, connection);
        }
        self.recycle(active, connection);
        for _ in 0..ROUNDS {
            let stop = match self.pass_bulk_request(client, connection) {
                BulkStep::NoBulk => self.pass_part(client, connection),
                BulkStep::Passed => None,
                BulkStep::Stopped(stop) => Some(stop),
            };
            if let Some(stop) = stop {
                return stop;
            }
        }
        Stop::Later
    }

    /// Reads once from the client, unless bytes are left, and passes a part of the request's body.
    /// Returns why passing stops; `None` if it goes on.
    fn pass_part(&mut self, client: &mut Client, connection: &mut ServerConnection) -> Option<Stop> {
        let limits = self.topology.http_limits;
        let Client {
            phase: Phase::Exchanging(active),
            stream,
            readiness,
            input,
            ..
        } = client
        else {
            return Some(Stop::Wait);
        };
        if active.exchange.is_request_done() || !active.request.is_empty() {
            return Some(Stop::Wait);
        }
        let mut held = std::mem::take(input);
        let mut read_now = 0;
        if held.is_empty() || active.needs_more {
            let stop = if readiness.readable {
                match read(stream, readiness, &mut self.buffer[..READ]) {
                    Ok(None) => Some(Stop::Wait),
                    Ok(Some(0)) | Err(_) => Some(Stop::ClientGone),
                    Ok(Some(read)) => {
                        read_now = read;
                        None
                    }
                }
            } else {
                Some(Stop::Wait)
            };
            if stop.is_some() {
                *input = held;
                return stop;
            }
            if !held.is_empty() {
                held.extend_from_slice(&self.buffer[..read_now]);
            }
        }
        let bytes = if held.is_empty() {
            &self.buffer[..read_now]
        } else {
            &held[..]
        };
        client.last_active = self.now;
        match pass_request(active, connection, bytes, &limits, &mut self.http.out) {
            Ok(consumed) => {
                // They may be the beginning of the next request, whether the node takes this one or not.
                *input = bytes[consumed..].to_vec();
                active.node_refuses.then_some(Stop::Wait)
            }
            Err(rejection) => Some(Stop::Rejected(rejection)),
        }
    }

    /// Passes the answer on.
    fn pass_answer(&mut self, client: &mut Client, connection: &mut ServerConnection) -> Stop {
        if client
            .output
            .flush(&client.stream, &mut client.readiness)
            .is_err()
        {
            return Stop::ClientGone;
        }
        for _ in 0..ROUNDS {
            if !client.output.is_empty() || !connection.readiness.readable {
                return Stop::Wait;
            }
            let mut buffer = std::mem::take(&mut self.buffer);
            let stop = self.read_answer(client, connection, &mut buffer);
            self.buffer = buffer;
            if let Some(stop) = stop {
                return stop;
            }
        }
        Stop::Later
    }

    /// Reads once from the server, and passes what came.
    fn read_answer(
        &mut self,
        client: &mut Client,
        connection: &mut ServerConnection,
        buffer: &mut [u8],
    ) -> Option<Stop> {
        match self.pass_bulk_answer(client, connection, buffer) {
            BulkStep::NoBulk => {}
            BulkStep::Passed => return None,
            BulkStep::Stopped(stop) => return Some(stop),
        }
        let read = match read(&connection.stream, &mut connection.readiness, &mut buffer[..READ]) {
            Ok(None) => return Some(Stop::Wait),
            Ok(Some(read)) => read,
            Err(error) => return Some(Stop::ServerGone(error.kind())),
        };
        client.last_active = self.now;
        if read == 0 {
            return Some(self.answer_ended(client));
        }
        if let Phase::Exchanging(active) = &mut client.phase {
            active.has_answer_bytes = true;
        }
        if connection.input.is_empty() {
            self.use_answer(client, connection, &buffer[..read])
        } else {
            let mut bytes = std::mem::take(&mut connection.input);
            bytes.extend_from_slice(&buffer[..read]);
            self.use_answer(client, connection, &bytes)
        }
    }

    /// Handles the end of the server's output.
    pub(super) fn answer_ended(&mut self, client: &mut Client) -> Stop {
        let Phase::Exchanging(active) = &mut client.phase else {
            return Stop::Wait;
        };
        self.http.out.clear();
        if !active.exchange.node_ended(&mut self.http.out) {
            return Stop::ServerGone(io::ErrorKind::UnexpectedEof);
        }
        active.bytes.1 += self.http.out.len() as u64;
        match client
            .output
            .send(&client.stream, &mut client.readiness, &self.http.out, &[])
        {
            Ok(()) => Stop::Answered,
            Err(_) => Stop::ClientGone,
        }
    }

    /// A buffer that is not needed any more is used for what goes out next.
    fn recycle(&mut self, active: &mut Active, connection: &ServerConnection) {
        let may_repeat = active.is_repeatable && connection.uses > 0 && active.exchange.is_request_done();
        if active.request.is_empty() && active.request.is_kept() && !may_repeat {
            self.http.out = active.request.take();
        }
    }
}

// Private

/// The node takes no more of the request, but may have sent an answer.
pub(super) fn refused(active: &mut Active, connection: &mut ServerConnection) -> Stop {
    active.node_refuses = true;
    connection.readiness.readable = true;
    connection.readiness.input = connection.readiness.input.max(InputState::Ending);
    Stop::Wait
}

/// Passes bytes of the request's body on, and returns how many.
fn pass_request(
    active: &mut Active,
    connection: &mut ServerConnection,
    bytes: &[u8],
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<usize, Rejection> {
    out.clear();
    let passed = active.exchange.pass_request(bytes, limits, out)?;
    active.bytes.0 += passed.consumed as u64;
    active.needs_more = passed.consumed == 0;
    // What is left of these bytes takes the place of what was sent before.
    active.is_repeatable &= out.is_empty() && passed.plain.is_empty();
    if !connection.has_nodelay {
        connection.has_nodelay = true;
        // This fails only on a broken connection, and the next use reports that.
        let _set = connection.stream.set_nodelay(true);
    }
    let sent = active
        .request
        .send(&connection.stream, &mut connection.readiness, out, passed.plain);
    if sent.is_err() {
        active.request = Outbox::default();
        refused(active, connection);
    }
    Ok(passed.consumed)
}
