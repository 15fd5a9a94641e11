//! A connection to a node, over which it makes calls.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::cookie::Cookie;
use super::error::{Error, Why};
use super::flags::Flags;
use super::handshake::{Handshake, HandshakeError, Manner, Peer, Step};
use super::leader::{self, Asker, Heard, Output};
use super::outcome;
use super::signal::{self, Call, Signal};
use super::term::{Atom, Identity, Pid, Reference, Term};
use super::wire::{Wire, WireError};

/// Texts that a call may have us format at the same time; the next ones are refused.
const MAX_FORMATS: usize = 100;

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
/// A process that a call has started ends with the connection, so one that takes too long leaves nothing behind. A node
/// closes the connection when nothing has come for its `net_ticktime`, a minute unless told otherwise; its ticks are
/// answered while something is asked. Asked every few seconds, it stays.
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

    /// Has the node make a call; what it returns. What it prints is added to `output`, also when nothing comes of it.
    ///
    /// # Errors
    /// When there is no answer by the deadline, or the call ended in an exception.
    pub async fn call(&mut self, call: &Call, output: &mut Output, deadline: Instant) -> Result<Term, Error> {
        let answer = timeout_at(deadline, self.answer(call, output)).await;
        answer.unwrap_or(Err(Why::Timeout)).map_err(|why| self.error(why))
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

    async fn answer(&mut self, call: &Call, output: &mut Output) -> Result<Term, Why> {
        let id = self.request(call);
        // Calls that format what is to be printed.
        let mut formats: Vec<(Reference, Asker)> = Vec::new();
        loop {
            match Signal::read(&self.wire.next().await?)? {
                Signal::Down(of, reason) if of == id => {
                    return outcome::of_process(reason, &id, &self.peer.node);
                }
                Signal::Spawned(of, Term::Atom(why)) if of == id => {
                    return Err(Why::NotStarted(why.text().to_owned()));
                }
                Signal::Down(of, reason) => {
                    let text = outcome::of_process(reason, &of, &self.peer.node);
                    self.print(&of, text, &mut formats, output);
                }
                Signal::Message(message) => match outcome::of_rex(message, &self.peer.node) {
                    Ok((of, outcome)) if of == id => return outcome,
                    Ok((of, outcome)) => self.print(&of, outcome, &mut formats, output),
                    Err(message) => self.hear(message, &mut formats, output),
                },
                Signal::Unlink(unlink) => self.wire.send(&signal::unlink_ack(unlink)),
                Signal::Spawned(..) | Signal::Other => {}
            }
        }
    }

    /// Takes the text that was to be formatted, and lets the printer go on.
    fn print(
        &mut self,
        id: &Reference,
        text: Result<Term, Why>,
        formats: &mut Vec<(Reference, Asker)>,
        output: &mut Output,
    ) {
        let Some(index) = formats.iter().position(|(of, _)| of == id) else {
            // The answer to a call that nobody waits for any more.
            return;
        };
        let (_, asker) = formats.swap_remove(index);
        let answer = match text {
            Ok(text) => output.take(&text),
            Err(_) => leader::refusal("format"),
        };
        self.reply(asker, answer);
    }

    fn hear(&mut self, message: Term, formats: &mut Vec<(Reference, Asker)>, output: &mut Output) {
        match leader::hear(message, output) {
            Some(Heard::Answer(asker, answer)) => self.reply(asker, answer),
            Some(Heard::Format(asker, _)) if formats.len() >= MAX_FORMATS => {
                self.reply(asker, leader::refusal("system_limit"));
            }
            Some(Heard::Format(asker, call)) => {
                let id = self.request(&call);
                formats.push((id, asker));
            }
            None => {}
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
        let own = Pid {
            node: name.clone(),
            id: 1,
            serial: 0,
            creation,
        };
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
