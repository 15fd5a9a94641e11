//! The meaning of JSON-RPC messages for a client, independent of the transport.
//!
//! ```text
//!  Greeting ── result of the first request ──▶ Idle ── ask ──▶ Asked(id) ── any answer of that id ──▶ Idle
//! ```
//!
//! Notifications and requests of the server are skipped, except for a `ping`.

use std::borrow::Cow;

use super::excerpt::excerpt;
use super::message::{self, FIRST_ID, Message, Refusal, Welcome};
use crate::load_test::error::{Kind, LoadError};
use crate::mcp::Revision;

/// The longest name of a server or a version, in bytes.
const MAX_NAME: usize = 255;
/// The longest id of a server's request that an answer repeats, in bytes.
const MAX_ID: usize = 255;

/// The state of a client's dialogue.
#[derive(Debug, Default)]
pub(super) enum Dialogue {
    /// The first request is not answered: `initialize`, or `server/discover` without sessions.
    #[default]
    Greeting,
    /// No request is pending.
    Idle,
    /// The request with this number is not answered.
    Asked(u64),
}

/// The meaning of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// Nothing.
    Nothing,
    /// The server has sent its name and protocol version.
    Welcome {
        /// Its name.
        node: Cow<'a, str>,
        /// A revision of MCP.
        version: Cow<'a, str>,
    },
    /// The request with this number is answered.
    Answer {
        id: u64,
        /// The result as JSON; `None` if the answer is an error.
        result: Option<&'a str>,
    },
    /// The server has sent a `ping`, and this is the answer to send.
    Pong(String),
}

impl Dialogue {
    /// Begins the request with this number. Returns the message to send.
    pub(super) fn ask(&mut self, id: u64) -> String {
        *self = Dialogue::Asked(id);
        message::ping(id)
    }

    /// Begins the request with this number, for a revision without sessions. Returns the message to
    /// send.
    pub(super) fn ask_stateless(&mut self, id: u64, revision: Revision) -> String {
        *self = Dialogue::Asked(id);
        message::discover(id, revision)
    }

    /// The error if the server closes the connection in this state. `first` is the method of the
    /// first request.
    pub(super) fn ended(&self, first: &str) -> LoadError {
        let when = match self {
            Dialogue::Greeting => &format!("before it answered `{first}`"),
            Dialogue::Idle => "while nothing was asked",
            Dialogue::Asked(_) => "before it answered",
        };
        LoadError::new(
            Kind::Closed,
            format!("the server has closed the connection {when}"),
        )
    }

    /// Handles one message of the server.
    ///
    /// # Errors
    /// If it is not a valid message, is a refusal, or answers no pending request.
    pub(super) fn receive<'a>(&mut self, text: &'a [u8]) -> Result<Meaning<'a>, LoadError> {
        let garbage = || LoadError::new(Kind::Garbage, format!("not MCP: `{}`", excerpt(text)));
        match (Message::read(text).ok_or_else(garbage)?, &*self) {
            (Message::Result(Some(FIRST_ID), result), Dialogue::Greeting) => {
                let welcome = serde_json::from_str(result.get()).ok();
                let meaning = welcome.and_then(welcomed).ok_or_else(garbage)?;
                *self = Dialogue::Idle;
                Ok(meaning)
            }
            // The id may be missing: a node that is full refuses this way.
            (Message::Error(Some(FIRST_ID) | None, error), Dialogue::Greeting) => Err(denied(error.get())),
            (Message::Result(Some(id), result), Dialogue::Asked(asked)) if id == *asked => {
                *self = Dialogue::Idle;
                let result = Some(result.get());
                Ok(Meaning::Answer { id, result })
            }
            (Message::Error(Some(id), _), Dialogue::Asked(asked)) if id == *asked => {
                *self = Dialogue::Idle;
                Ok(Meaning::Answer { id, result: None })
            }
            (Message::Result(..) | Message::Error(..), _) => {
                let detail = format!("an answer without a request: `{}`", excerpt(text));
                Err(LoadError::new(Kind::Garbage, detail))
            }
            (Message::Ping(id), _) if id.len() <= MAX_ID => Ok(Meaning::Pong(message::pong(id))),
            (Message::Ping(_), _) => Err(garbage()),
            (Message::Other, _) => Ok(Meaning::Nothing),
        }
    }
}

// Private

fn welcomed(welcome: Welcome<'_>) -> Option<Meaning<'_>> {
    let version = welcome.protocol_version.clone();
    let node = welcome.name()?;
    // Headers repeat the version.
    let sendable = version.bytes().all(|byte| byte.is_ascii_graphic());
    (node.len() <= MAX_NAME && version.len() <= MAX_NAME && sendable)
        .then_some(Meaning::Welcome { node, version })
}

fn denied(error: &str) -> LoadError {
    let detail = match serde_json::from_str::<Refusal>(error) {
        Ok(refusal) => excerpt(refusal.message.as_bytes()),
        Err(_) => excerpt(error.as_bytes()),
    };
    LoadError::new(Kind::Denied, format!("the server refused: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &[u8] =
        br#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","serverInfo":{"name":"n1"}}}"#;

    fn failure(dialogue: &mut Dialogue, text: &str) -> (Kind, String) {
        let failure = dialogue.receive(text.as_bytes()).unwrap_err();
        (failure.kind, failure.detail)
    }

    #[test]
    fn a_greeting_a_question_an_answer() {
        let mut dialogue = Dialogue::default();
        let meaning = dialogue.receive(RESULT).unwrap();
        let (node, version) = ("n1".into(), "2025-06-18".into());
        assert_eq!(meaning, Meaning::Welcome { node, version });
        for (answer, result) in [
            (r#"{"id":5,"result":{}}"#, Some("{}")),
            (r#"{"id":5,"error":{"code":1,"message":"no"}}"#, None),
        ] {
            dialogue.ask(5);
            let meaning = dialogue.receive(answer.as_bytes()).unwrap();
            assert_eq!(meaning, Meaning::Answer { id: 5, result });
        }
    }

    #[test]
    fn unexpected_messages_are_skipped_and_a_ping_is_answered() {
        let mut dialogue = Dialogue::default();
        let notification = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(dialogue.receive(notification).unwrap(), Meaning::Nothing);
        let meaning = dialogue
            .receive(br#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#)
            .unwrap();
        assert_eq!(
            meaning,
            Meaning::Pong("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{}}\n".to_owned())
        );
    }

    #[test]
    fn refusals_carry_the_reason() {
        let mut dialogue = Dialogue::default();
        assert_eq!(
            failure(
                &mut dialogue,
                r#"{"id":null,"error":{"code":503,"message":"too many\nconnections"}}"#
            ),
            (
                Kind::Denied,
                "the server refused: too many.connections".to_owned()
            )
        );
        assert_eq!(
            failure(&mut dialogue, r#"{"id":0,"error":"never"}"#),
            (Kind::Denied, r#"the server refused: "never""#.to_owned())
        );
    }

    #[test]
    fn answers_without_a_request_are_errors() {
        let mut dialogue = Dialogue::default();
        assert_eq!(failure(&mut dialogue, r#"{"id":5,"result":{}}"#).0, Kind::Garbage);
        dialogue.receive(RESULT).unwrap();
        assert_eq!(failure(&mut dialogue, r#"{"id":0,"result":{}}"#).0, Kind::Garbage);
        dialogue.ask(5);
        for other in [
            r#"{"id":6,"result":{}}"#,
            r#"{"id":"5","result":{}}"#,
            r#"{"id":null,"error":{}}"#,
        ] {
            assert_eq!(failure(&mut dialogue, other).0, Kind::Garbage);
        }
        assert_eq!(
            failure(&mut dialogue, "SSH-2.0-OpenSSH\x07"),
            (Kind::Garbage, "not MCP: `SSH-2.0-OpenSSH.`".to_owned())
        );
    }

    #[test]
    fn a_server_without_a_name_is_refused() {
        for result in [
            r#"{"serverInfo":{}}"#.to_owned(),
            format!(r#"{{"serverInfo":{{"name":"{}"}}}}"#, "x".repeat(256)),
        ] {
            let text = format!(r#"{{"id":0,"result":{result}}}"#);
            assert_eq!(failure(&mut Dialogue::default(), &text).0, Kind::Garbage);
        }
    }
}
