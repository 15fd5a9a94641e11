//! A connection to a node, which runs calls.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::cookie::Cookie;
use super::error::{Cause, Error, Why};
use super::flags::Flags;
use super::group_leader::{self, Asker, Output, Request};
use super::handshake::{Handshake, HandshakeError, HandshakeMode, Peer, Step};
use super::outcome;
use super::pending_call::PendingCall;
use super::prints::Prints;
use super::signal::{self, Call, Signal};
use super::term::{Atom, Identity, Pid, Reference, Term};
use super::wire::{Wire, WireError};

/// How long a node may take to end the process of a call that is given up, and to confirm it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The address and the credentials of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its full name, `erlmcp1@localhost`.
    pub node: Atom,
    /// Where it listens for other nodes.
    pub address: SocketAddr,
    /// Its cookie.
    pub cookie: Cookie,
}

/// A connection to a node, as a hidden node: it is listed only among the hidden ones, and is not
/// part of the mesh.
///
/// The process of a call that takes too long is killed; that of a dropped call ends with the
/// connection, unless it traps exits. A node closes the connection if it receives nothing for its
/// `net_ticktime`, a minute by default; its ticks are answered while a query is running. A
/// connection that is used every few seconds stays open.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    peer: Peer,
    address: SocketAddr,
    /// Calls so far.
    calls: u32,
}

impl Connection {
    /// Connects to a node; each side proves that it knows the cookie.
    ///
    /// # Errors
    /// If the handshake fails, or is not complete at the deadline.
    pub async fn open(target: &Target, deadline: Instant) -> Result<Connection, Error> {
        let opened = timeout_at(deadline, connect(target))
            .await
            .unwrap_or(Err(Why::Timeout));
        opened.map_err(|why| Error {
            node: target.node.text().to_owned(),
            address: target.address,
            why,
        })
    }

    /// The node whose pids are written in short form.
    #[must_use]
    pub fn node(&self) -> &Identity {
        &self.peer.node
    }

    /// The identity of this client at the node.
    #[must_use]
    pub fn own(&self) -> &Identity {
        &self.peer.own
    }

    /// Runs a call on the node and returns its result. Its output is added to `output`, even if the
    /// call fails. A call that has begun and is not complete at the deadline is ended; the node has
    /// one more second to do that.
    ///
    /// # Errors
    /// If there is no answer by the deadline, or the call ended in an exception.
    pub async fn call(&mut self, call: &Call, output: &mut Output, deadline: Instant) -> Result<Term, Error> {
        let mut pending = PendingCall::new(self.request(call));
        let answer = timeout_at(deadline, self.answer(&mut pending, output)).await;
        let answer = match answer.unwrap_or_else(|_| pending.late()) {
            Err(Why::Unfinished(unfinished)) => self.end(unfinished.cause, &mut pending, output).await,
            answer => answer,
        };
        output.prints_lost += pending.prints.len();
        answer.map_err(|why| self.error(why))
    }

    /// Evaluates Erlang expressions on the node and returns the value of the last one. They end
    /// with a full stop and may use the `bound` variables.
    ///
    /// It is a single call of what every node has: its own scanner, parser and evaluator, one
    /// applied to the other. No code is loaded onto the node.
    ///
    /// # Errors
    /// If there is no answer by the deadline, or the evaluation ended in an exception.
    pub async fn eval(
        &mut self,
        text: &str,
        bound: &[(&'static str, Term)],
        deadline: Instant,
    ) -> Result<Term, Error> {
        let call = outcome::evaluation(text, bound);
        let value = self.call(&call, &mut Output::default(), deadline).await?;
        outcome::value(value).ok_or_else(|| self.error(Why::Unexpected("`erl_eval:expr/2`")))
    }

    // Private

    pub(super) fn error(&self, why: Why) -> Error {
        Error {
            node: self.peer.node.name.text().to_owned(),
            address: self.address,
            why,
        }
    }

    /// The result of the call, once the output that was being formatted by then has arrived.
    /// Cancel-safe.
    async fn answer(&mut self, pending: &mut PendingCall, output: &mut Output) -> Result<Term, Why> {
        loop {
            if let Some(outcome) = pending.outcome.take_if(|_| pending.prints.is_empty()) {
                return outcome;
            }
            let message = self.wire.next().await?;
            match Signal::read(&message)? {
                Signal::Down(of, reason) => {
                    let outcome = outcome::of_process(reason, &of, &self.peer.node);
                    self.ended(&of, outcome, pending, output);
                }
                Signal::Spawned(of, Term::Atom(why)) if of == pending.id => {
                    return Err(Why::NotStarted(why.text().to_owned()));
                }
                Signal::Spawned(of, process) if of == pending.id => pending.process = Some(process),
                Signal::Message(content) => match outcome::of_rex(content, &self.peer.node) {
                    Ok((of, outcome)) => self.ended(&of, outcome, pending, output),
                    Err(content) => self.handle_request(content, message.len(), pending, output)?,
                },
                Signal::Unlink(unlink) => self.wire.send(&signal::unlink_ack(unlink)),
                Signal::Spawned(..) | Signal::Other => {}
            }
        }
    }

    /// Ends a call that is given up, and waits for the confirmation; returns its result if that
    /// arrives first.
    async fn end(
        &mut self,
        cause: Cause,
        pending: &mut PendingCall,
        output: &mut Output,
    ) -> Result<Term, Why> {
        let Some(process) = pending.process.clone() else {
            return Err(cause.of_call(false));
        };
        // Closing the connection would not end a process that traps exits.
        self.wire.send(&signal::kill(&self.pid(), process));
        let answer = timeout(CLOSE_TIMEOUT, self.answer(pending, output)).await;
        match answer.unwrap_or_else(|_| pending.late()) {
            Err(Why::Raised(raised)) if raised.reason.is_atom("killed") => Err(cause.of_call(true)),
            Err(Why::Unfinished(_)) => Err(cause.of_call(false)),
            answer => answer,
        }
    }

    /// Handles the end of a call: the requested one, or one that formats its output.
    fn ended(
        &mut self,
        id: &Reference,
        outcome: Result<Term, Why>,
        pending: &mut PendingCall,
        output: &mut Output,
    ) {
        if *id == pending.id {
            pending.outcome = Some(outcome);
        } else if let Some(asker) = pending.prints.ended(id) {
            let answer = match outcome {
                Ok(text) => output.take(&text),
                Err(_) => group_leader::refusal("format"),
            };
            self.reply(asker, answer);
            self.format(&mut pending.prints);
        }
    }

    /// Handles what may be a request to the group leader, in a message of `size` bytes.
    fn handle_request(
        &mut self,
        content: Term,
        size: usize,
        pending: &mut PendingCall,
        output: &mut Output,
    ) -> Result<(), Why> {
        match group_leader::handle(content, output) {
            Some(Request::Answer(asker, answer)) => {
                let is_end_of_input = answer.is_atom("eof");
                self.reply(asker, answer);
                if is_end_of_input {
                    pending.has_no_input()?;
                }
            }
            // A process that prints forever must not delay the result.
            Some(Request::Format(..)) if pending.outcome.is_some() => output.prints_lost += 1,
            Some(Request::Format(asker, call)) => match pending.prints.wait(asker, call, size) {
                Ok(()) => self.format(&mut pending.prints),
                Err(asker) => {
                    output.prints_lost += 1;
                    self.reply(asker, group_leader::refusal("system_limit"));
                }
            },
            None => {}
        }
        Ok(())
    }

    /// Lets the node format the output whose turn it is.
    fn format(&mut self, prints: &mut Prints) {
        while let Some((asker, call)) = prints.turn() {
            let id = self.request(&call);
            prints.begun(id, asker);
        }
    }

    fn reply(&mut self, asker: Asker, answer: Term) {
        let (process, message) = asker.message(answer);
        self.wire.send(&signal::send(process, &message));
    }

    /// Sends the request for a call; returns the reference that identifies its answer.
    fn request(&mut self, call: &Call) -> Reference {
        self.calls = self.calls.wrapping_add(1);
        let Identity { name, creation } = self.peer.own.clone();
        let own = self.pid();
        let id = Reference {
            node: name,
            creation,
            // Nodes before OTP 24 accept 18 bits in the first one.
            ids: vec![self.calls & 0x3_ffff, self.calls >> 18, 0],
        };
        let request = if self.peer.flags.has(Flags::SPAWN) {
            signal::spawn_request(&id, &own, call)
        } else {
            signal::rex_request(&id, &own, call)
        };
        self.wire.send(&request);
        id
    }

    /// The process that this client pretends to be.
    fn pid(&self) -> Pid {
        let Identity { name, creation } = self.peer.own.clone();
        Pid {
            node: name,
            id: 1,
            serial: 0,
            creation,
        }
    }
}

// Private

/// Tries one manner after the other, until the node accepts one.
async fn connect(target: &Target) -> Result<Connection, Why> {
    for mode in [HandshakeMode::Nameless, HandshakeMode::Named, HandshakeMode::Old] {
        let stream = TcpStream::connect(target.address)
            .await
            .map_err(Why::Unreachable)?;
        stream.set_nodelay(true).map_err(Why::Network)?;
        let mut wire = Wire::new(stream);
        if let Some(peer) = run_handshake(target, mode, &mut wire).await? {
            if peer.node.name != target.node {
                return Err(Why::Another(peer.node.name.text().to_owned()));
            }
            return Ok(Connection {
                wire,
                peer,
                address: target.address,
                calls: 0,
            });
        }
    }
    Err(HandshakeError::Strange("it closed the connection without an answer").into())
}

/// Runs a handshake; `None` if the node may accept another manner.
async fn run_handshake(target: &Target, mode: HandshakeMode, wire: &mut Wire) -> Result<Option<Peer>, Why> {
    let random = || getrandom::u32().map_err(|error| Why::Network(error.into()));
    let own = Identity {
        name: own_name(&target.node),
        // Must not be 0.
        creation: random()? | 1,
    };
    let (mut handshake, first) = Handshake::begin(mode, own, target.cookie.clone(), random()?);
    wire.queue(&first);
    loop {
        let message: Bytes = match wire.next_message().await {
            Ok(message) => message,
            Err(WireError::Closed) if handshake.is_unanswered() => return Ok(None),
            Err(WireError::Closed) if handshake.is_judged() => return Err(Why::CookieRefused),
            Err(WireError::Cut | WireError::TooLong(_)) => {
                return Err(HandshakeError::Strange("it sent half a message").into());
            }
            Err(error) => return Err(error.into()),
        };
        match handshake.handle(&message) {
            Ok(Step::Go(next, answers)) => {
                handshake = next;
                for answer in &answers {
                    wire.queue(answer);
                }
            }
            Ok(Step::Done(peer)) => return Ok(Some(peer)),
            Err(HandshakeError::GivesNoName) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// This client's name for nodes that do not assign one. It has the node's host name, so that both
/// names are long or both are short.
fn own_name(node: &Atom) -> Atom {
    let host = node.text().split_once('@').map_or("localhost", |(_, host)| host);
    let name = format!("clusterctl-{}@{host}", std::process::id());
    Atom::new(&name).unwrap_or_else(|_| Atom::known("clusterctl@localhost"))
}
