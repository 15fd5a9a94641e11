//! Messages between nodes after the handshake: a tuple with the kind of the message, and for some
//! kinds a term.

use super::codec::{DecodeError, decode, encode};
use super::term::{Atom, Pid, Reference, Term};

/// The first byte of each message, because no header was negotiated.
const PASS_THROUGH: u8 = 112;

const SEND: i64 = 2;
const REG_SEND: i64 = 6;
const SEND_TRACED: i64 = 12;
const MONITOR_EXIT: i64 = 21;
const SEND_SENDER: i64 = 22;
const SEND_SENDER_TRACED: i64 = 23;
const PAYLOAD_EXIT2: i64 = 26;
const PAYLOAD_MONITOR_EXIT: i64 = 28;
const SPAWN_REQUEST: i64 = 29;
const SPAWN_REPLY: i64 = 31;
const SPAWN_REPLY_TRACED: i64 = 32;
const UNLINK_ID: i64 = 35;
const UNLINK_ID_ACK: i64 = 36;

/// A message of a node, as far as this client needs it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Signal {
    /// The process of this request has ended.
    Down(Reference, Term),
    /// Whether a process was started for this request: its pid, or the reason why not.
    Spawned(Reference, Term),
    /// A message to this client's process.
    Message(Term),
    /// A process removes its link to this client: a number, the process, and this client's.
    Unlink([Term; 3]),
    /// Any other message.
    Other,
}

/// The message is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignalError {
    /// It begins with another byte than negotiated.
    #[error("a message that begins with byte {0}")]
    Kind(u8),
    /// It has no content.
    #[error("an empty message")]
    Empty,
    /// It is not made of terms.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Signal {
    /// Decodes a message.
    ///
    /// # Errors
    /// If it does not consist of terms.
    pub(super) fn read(message: &[u8]) -> Result<Signal, SignalError> {
        let rest = match message.split_first() {
            Some((&PASS_THROUGH, rest)) => rest,
            Some((other, _)) => return Err(SignalError::Kind(*other)),
            None => return Err(SignalError::Empty),
        };
        let (control, rest) = decode(rest)?;
        let payload = if rest.is_empty() {
            None
        } else {
            Some(decode(rest)?.0)
        };
        Ok(Signal::of(control, payload).unwrap_or(Signal::Other))
    }

    // Private

    fn of(control: Term, payload: Option<Term>) -> Option<Signal> {
        let Term::Tuple(mut parts) = control else {
            return None;
        };
        let Some(Term::Integer(kind)) = parts.first() else {
            return None;
        };
        match (*kind, parts.as_mut_slice()) {
            (SEND | SEND_TRACED | SEND_SENDER | SEND_SENDER_TRACED | REG_SEND, _) => {
                payload.map(Signal::Message)
            }
            (PAYLOAD_MONITOR_EXIT, [_, _, _, Term::Reference(reference)]) => {
                Some(Signal::Down(reference.as_ref().clone(), payload?))
            }
            (MONITOR_EXIT, [_, _, _, Term::Reference(reference), reason]) => {
                Some(Signal::Down(reference.as_ref().clone(), take(reason)))
            }
            (SPAWN_REPLY | SPAWN_REPLY_TRACED, [_, Term::Reference(reference), _, _, result, ..]) => {
                Some(Signal::Spawned(reference.as_ref().clone(), take(result)))
            }
            (UNLINK_ID, [_, id, from, to]) => Some(Signal::Unlink([take(id), take(from), take(to)])),
            _ => None,
        }
    }
}

/// A call that a node makes in a process of its own: `module:function(arguments..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The module.
    pub module: Atom,
    /// The function.
    pub function: Atom,
    /// Its arguments.
    pub arguments: Vec<Term>,
}

impl Call {
    /// A call of a function in OTP.
    pub(super) fn known(module: &'static str, function: &'static str, arguments: Vec<Term>) -> Call {
        Call {
            module: Atom::known(module),
            function: Atom::known(function),
            arguments,
        }
    }
}

/// Starts a process that makes the call. It is linked to this client, so it ends with the
/// connection, and monitored, so its exit reason arrives, which is the result. Its output arrives,
/// too.
pub(super) fn spawn_request(id: &Reference, own: &Pid, call: &Call) -> Vec<u8> {
    let own = Term::Pid(Box::new(own.clone()));
    let id = Term::Reference(Box::new(id.clone()));
    let entry = [Term::atom("erpc"), Term::atom("execute_call"), Term::Integer(4)];
    let options = vec![Term::atom("link"), Term::atom("monitor")];
    let control = [
        Term::Integer(SPAWN_REQUEST),
        id.clone(),
        own.clone(),
        own,
        Term::Tuple(entry.into()),
        Term::List(options),
    ];
    let arguments = vec![
        id,
        Term::Atom(call.module.clone()),
        Term::Atom(call.function.clone()),
        Term::List(call.arguments.clone()),
    ];
    message(control.into(), Some(&Term::List(arguments)))
}

/// Requests a call from a node before OTP 23: its `rex` server answers with a message.
pub(super) fn rex_request(id: &Reference, own: &Pid, call: &Call) -> Vec<u8> {
    let own = Term::Pid(Box::new(own.clone()));
    let from = [own.clone(), Term::Reference(Box::new(id.clone()))];
    let order = [
        Term::atom("call"),
        Term::Atom(call.module.clone()),
        Term::Atom(call.function.clone()),
        Term::List(call.arguments.clone()),
        own.clone(),
    ];
    let request = [
        Term::atom("$gen_call"),
        Term::Tuple(from.into()),
        Term::Tuple(order.into()),
    ];
    let control = [Term::Integer(REG_SEND), own, Term::atom(""), Term::atom("rex")];
    message(control.into(), Some(&Term::Tuple(request.into())))
}

/// A message to a process.
pub(super) fn send(to: Term, content: &Term) -> Vec<u8> {
    message(vec![Term::Integer(SEND), Term::atom(""), to], Some(content))
}

/// Kills a process, even if it traps exits. Only for nodes that report the start of a call, so OTP
/// 23 and newer.
pub(super) fn kill(own: &Pid, process: Term) -> Vec<u8> {
    let own = Term::Pid(Box::new(own.clone()));
    let control = vec![Term::Integer(PAYLOAD_EXIT2), own, process];
    message(control, Some(&Term::atom("kill")))
}

/// The required answer to an [unlink](Signal::Unlink).
pub(super) fn unlink_ack([id, from, to]: [Term; 3]) -> Vec<u8> {
    message(vec![Term::Integer(UNLINK_ID_ACK), id, to, from], None)
}

// Private

fn message(control: Vec<Term>, payload: Option<&Term>) -> Vec<u8> {
    let mut message = vec![PASS_THROUGH];
    encode(&Term::Tuple(control), &mut message);
    if let Some(payload) = payload {
        encode(payload, &mut message);
    }
    message
}

fn take(term: &mut Term) -> Term {
    std::mem::replace(term, Term::Integer(0))
}
