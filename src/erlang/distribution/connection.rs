//! A connection to a node, over which it makes calls.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::cookie::Cookie;
use super::error::{Cause, Error, Why};
use super::flags::Flags;
use super::group_leader::{self, Asker, Heard, Output};
use super::handshake::{Handshake, HandshakeError, Manner, Peer, Step};
use super::outcome;
use super::pending_call::Ongoing;
use super::prints::Prints;
use super::signal::{self, Call, Signal};
use super::term::{Atom, Identity, Pid, Reference, Term};
use super::wire::{Wire, WireError};

/// A node has so long to end the process of a call that is given up, and to say so.
const ENDING: Duration = Duration::from_secs(1);

/// Where a node is, and what it takes to be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its full name, `erlmcp1@localhost`.
    pub node: Atom,
    /// Where it listens for other nodes.
    pub address: SocketAddr,
    /// Its cookie.
    pub cookie: Cookie,
}

/// A connection to a node. We are hidden to it: in no list of nodes but that of hidden ones, and no part of its mesh.
///
/// The process of a call that takes too long is killed; that of a call that is dropped ends with the connection, unless it
/// traps exits. A node closes the connection when nothing has come for its `net_ticktime`, a minute unless told otherwise;
/// its ticks are answered while something is asked. Asked every few seconds, it stays.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    peer: Peer,
    address: SocketAddr,
    /// Calls so far.
    calls: u32,
}

impl Connection {
    /// Connects to a node, and proves to each other that both know the cookie.
    ///
    /// # Errors
    /// When that is not done by the deadline, or never will be.
    pub async fn open(target: &Target, deadline: Instant) -> Result<Connection, Error> {
        let opened = timeout_at(deadline, meet(target))
            .await
            .unwrap_or(Err(Why::Timeout));
        opened.map_err(|why| Error {
            node: target.node.text().to_owned(),
            address: target.address,
            why,
        })
    }

    /// The node, whose pids are written in short.
    #[must_use]
    pub fn node(&self) -> &Identity {
        &self.peer.node
    }

    /// Who we are to it.
    #[must_use]
    pub fn own(&self) -> &Identity {
        &self.peer.own
    }

    /// Has the node make a call; what it returns. What it prints is added to `output`, also when nothing comes of it. A call
    /// that has begun, and is not over by the deadline, is ended, for which the node has a second more.
    ///
    /// # Errors
    /// When there is no answer by the deadline, or the call ended in an exception.
    pub async fn call(&mut self, call: &Call, output: &mut Output, deadline: Instant) -> Result<Term, Error> {
        let mut ongoing = Ongoing::new(self.request(call));
        let answer = timeout_at(deadline, self.answer(&mut ongoing, output)).await;
        let answer = match answer.unwrap_or_else(|_| ongoing.late()) {
            Err(Why::Unfinished(unfinished)) => self.end(unfinished.cause, &mut ongoing, output).await,
            answer => answer,
        };
        output.prints_lost += ongoing.prints.len();
        answer.map_err(|why| self.error(why))
    }

    /// Has the node evaluate Erlang expressions, which end with a full stop and may use the `bound` variables; the value of
    /// the last one.
    ///
    /// It is one call of what every node has: its own scanner, parser and evaluator, one applied to the other. No code is
    /// loaded onto it.
    ///
    /// # Errors
    /// When there is no answer by the deadline, or evaluating ended in an exception.
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

    /// What the call comes to, once all is there that was being printed by then. Can be dropped and gone on with.
    async fn answer(&mut self, ongoing: &mut Ongoing, output: &mut Output) -> Result<Term, Why> {
        loop {
            if let Some(outcome) = ongoing.outcome.take_if(|_| ongoing.prints.is_empty()) {
                return outcome;
            }
            let message = self.wire.next().await?;
            match Signal::read(&message)? {
                Signal::Down(of, reason) => {
                    let outcome = outcome::of_process(reason, &of, &self.peer.node);
                    self.ended(&of, outcome, ongoing, output);
                }
                Signal::Spawned(of, Term::Atom(why)) if of == ongoing.id => {
                    return Err(Why::NotStarted(why.text().to_owned()));
                }
                Signal::Spawned(of, process) if of == ongoing.id => ongoing.process = Some(process),
                Signal::Message(content) => match outcome::of_rex(content, &self.peer.node) {
                    Ok((of, outcome)) => self.ended(&of, outcome, ongoing, output),
                    Err(content) => self.hear(content, message.len(), ongoing, output)?,
                },
                Signal::Unlink(unlink) => self.wire.send(&signal::unlink_ack(unlink)),
                Signal::Spawned(..) | Signal::Other => {}
            }
        }
    }

    /// Ends a call that is given up, and hears of its end; what it returns, if that comes first.
    async fn end(&mut self, cause: Cause, ongoing: &mut Ongoing, output: &mut Output) -> Result<Term, Why> {
        let Some(process) = ongoing.process.clone() else {
            return Err(cause.of_call(false));
        };
        // Closing would not end a process that traps exits.
        self.wire.send(&signal::kill(&self.pid(), process));
        let answer = timeout(ENDING, self.answer(ongoing, output)).await;
        match answer.unwrap_or_else(|_| ongoing.late()) {
            Err(Why::Raised(raised)) if raised.reason.is_atom("killed") => Err(cause.of_call(true)),
            Err(Why::Unfinished(_)) => Err(cause.of_call(false)),
            answer => answer,
        }
    }

    /// Takes what a call came to: the one that was asked for, or one that formats what that prints.
    fn ended(
        &mut self,
        id: &Reference,
        outcome: Result<Term, Why>,
        ongoing: &mut Ongoing,
        output: &mut Output,
    ) {
        if *id == ongoing.id {
            ongoing.outcome = Some(outcome);
        } else if let Some(asker) = ongoing.prints.ended(id) {
            let answer = match outcome {
                Ok(text) => output.take(&text),
                Err(_) => group_leader::refusal("format"),
            };
            self.reply(asker, answer);
            self.format(&mut ongoing.prints);
        }
    }

    /// Takes what may be a request to the group leader, in a message of `size` bytes.
    fn hear(
        &mut self,
        content: Term,
        size: usize,
        ongoing: &mut Ongoing,
        output: &mut Output,
    ) -> Result<(), Why> {
        match group_leader::hear(content, output) {
            Some(Heard::Answer(asker, answer)) => {
                let is_end_of_input = answer.is_atom("eof");
                self.reply(asker, answer);
                if is_end_of_input {
                    ongoing.has_no_input()?;
                }
            }
            // Who prints for ever must not keep us.
            Some(Heard::Format(..)) if ongoing.outcome.is_some() => output.prints_lost += 1,
            Some(Heard::Format(asker, call)) => match ongoing.prints.wait(asker, call, size) {
                Ok(()) => self.format(&mut ongoing.prints),
                Err(asker) => {
                    output.prints_lost += 1;
                    self.reply(asker, group_leader::refusal("system_limit"));
                }
            },
            None => {}
        }
        Ok(())
    }

    /// Has the node format what is to be printed, as far as it is its turn.
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

    /// Puts a call on the wire; what its answer is known by.
    fn request(&mut self, call: &Call) -> Reference {
        self.calls = self.calls.wrapping_add(1);
        let Identity { name, creation } = self.peer.own.clone();
        let own = self.pid();
        let id = Reference {
            node: name,
            creation,
            // The first one has 18 bits to nodes before OTP 24.
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

    /// The process that we are to the node.
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

/// Tries one manner after the other, until the node understands one.
async fn meet(target: &Target) -> Result<Connection, Why> {
    for manner in [Manner::Nameless, Manner::Named, Manner::Old] {
        let stream = TcpStream::connect(target.address)
            .await
            .map_err(Why::Unreachable)?;
        stream.set_nodelay(true).map_err(Why::Network)?;
        let mut wire = Wire::new(stream);
        if let Some(peer) = introduce(target, manner, &mut wire).await? {
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
    Err(HandshakeError::Strange("it closes without a word").into())
}

/// A handshake; none when another manner may be understood.
async fn introduce(target: &Target, manner: Manner, wire: &mut Wire) -> Result<Option<Peer>, Why> {
    let random = || getrandom::u32().map_err(|error| Why::Network(error.into()));
    let own = Identity {
        name: own_name(&target.node),
        // Never 0.
        creation: random()? | 1,
    };
    let (mut handshake, first) = Handshake::begin(manner, own, target.cookie.clone(), random()?);
    wire.say(&first);
    loop {
        let message: Bytes = match wire.heard().await {
            Ok(message) => message,
            Err(WireError::Closed) if handshake.is_unheard() => return Ok(None),
            Err(WireError::Closed) if handshake.is_judged() => return Err(Why::CookieRefused),
            Err(WireError::Cut | WireError::TooLong(_)) => {
                return Err(HandshakeError::Strange("it says half a message").into());
            }
            Err(error) => return Err(error.into()),
        };
        match handshake.hear(&message) {
            Ok(Step::Go(next, answers)) => {
                handshake = next;
                for answer in &answers {
                    wire.say(answer);
                }
            }
            Ok(Step::Done(peer)) => return Ok(Some(peer)),
            Err(HandshakeError::GivesNoName) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A name beside the node's, for those that give none: of one host name, so that both are long or both are short.
fn own_name(node: &Atom) -> Atom {
    let host = node.text().split_once('@').map_or("localhost", |(_, host)| host);
    let name = format!("clusterctl-{}@{host}", std::process::id());
    Atom::new(&name).unwrap_or_else(|_| Atom::known("clusterctl@localhost"))
}
