//! What JSON-RPC messages mean to a client, however they are carried.
//!
//! ```text
//!  Greeting ── result of initialize ──▶ Idle ── ask ──▶ Asked(id) ── any answer of that id ──▶ Idle
//! ```
//!
//! What the server tells or asks unasked is skipped, but for a `ping`.

use std::borrow::Cow;

use super::excerpt::excerpt;
use super::message::{self, INITIALIZE_ID, Message, Refusal, Welcome};
use crate::load_test::error::{Kind, Trouble};

/// The longest name of a server or a version, in bytes.
const MAX_NAME: usize = 255;
/// The longest id of a server's request that is given back, in bytes.
const MAX_ID: usize = 255;

/// Where a client's dialogue is.
#[derive(Debug, Default)]
pub(super) enum Dialogue {
    /// `initialize` is not answered.
    #[default]
    Greeting,
    /// Nothing is asked.
    Idle,
    /// The question of this number is not answered.
    Asked(u64),
}

/// What a message means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// Nothing.
    Nothing,
    /// The server has said who it is, and what it speaks.
    Welcome {
        /// Its name.
        node: Cow<'a, str>,
        /// A revision of MCP.
        version: Cow<'a, str>,
    },
    /// The question of this number is answered.
    Answer {
        id: u64,
        /// Whether by an error.
        refused: bool,
    },
    /// The server asks for a sign of life, and this is to be said.
    Pong(String),
}

impl Dialogue {
    /// A question of this number is asked. Returns what is to be said.
    pub(super) fn ask(&mut self, id: u64) -> String {
        *self = Dialogue::Asked(id);
        message::ping(id)
    }

    /// What it means that the server has closed the connection now.
    pub(super) fn ended(&self) -> Trouble {
        let when = match self {
            Dialogue::Greeting => "before it said who it is",
            Dialogue::Idle => "while nothing was asked",
            Dialogue::Asked(_) => "before it answered",
        };
        Trouble::new(
            Kind::Closed,
            format!("the server has closed the connection {when}"),
        )
    }

    /// One message of the server.
    ///
    /// # Errors
    /// When it is none, refuses, or answers what was not asked.
    pub(super) fn hear<'a>(&mut self, text: &'a [u8]) -> Result<Meaning<'a>, Trouble> {
        let garbage = || Trouble::new(Kind::Garbage, format!("no MCP: `{}`", excerpt(text)));
        match (Message::read(text).ok_or_else(garbage)?, &*self) {
            (Message::Result(Some(INITIALIZE_ID), result), Dialogue::Greeting) => {
                let welcome = serde_json::from_str(result.get()).ok();
                let meaning = welcome.and_then(welcomed).ok_or_else(garbage)?;
                *self = Dialogue::Idle;
                Ok(meaning)
            }
            // Without a number it may still be about ours: so a node says that it is full.
            (Message::Error(Some(INITIALIZE_ID) | None, error), Dialogue::Greeting) => {
                Err(denied(error.get()))
            }
            (
                message @ (Message::Result(Some(id), _) | Message::Error(Some(id), _)),
                Dialogue::Asked(asked),
            ) if id == *asked => {
                *self = Dialogue::Idle;
                let refused = matches!(message, Message::Error(..));
                Ok(Meaning::Answer { id, refused })
            }
            (Message::Result(..) | Message::Error(..), _) => {
                let detail = format!("an answer to what was not asked: `{}`", excerpt(text));
                Err(Trouble::new(Kind::Garbage, detail))
            }
            (Message::Ping(id), _) if id.len() <= MAX_ID => Ok(Meaning::Pong(message::pong(id))),
            (Message::Ping(_), _) => Err(garbage()),
            (Message::Other, _) => Ok(Meaning::Nothing),
        }
    }
}

// Private

fn welcomed(welcome: Welcome<'_>) -> Option<Meaning<'_>> {
    let node = welcome.server_info.name;
    let version = welcome.protocol_version;
    // The version is said again in headers.
    let speakable = version.bytes().all(|byte| byte.is_ascii_graphic());
    (node.len() <= MAX_NAME && version.len() <= MAX_NAME && speakable)
        .then_some(Meaning::Welcome { node, version })
}

fn denied(error: &str) -> Trouble {
    let detail = match serde_json::from_str::<Refusal>(error) {
        Ok(refusal) => excerpt(refusal.message.as_bytes()),
        Err(_) => excerpt(error.as_bytes()),
    };
    Trouble::new(Kind::Denied, format!("the server says no: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &[u8] =
        br#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","serverInfo":{"name":"n1"}}}"#;

    fn trouble(dialogue: &mut Dialogue, text: &str) -> (Kind, String) {
        let trouble = dialogue.hear(text.as_bytes()).unwrap_err();
        (trouble.kind, trouble.detail)
    }

    #[test]
    fn a_greeting_a_question_an_answer() {
        let mut dialogue = Dialogue::default();
        let meaning = dialogue.hear(RESULT).unwrap();
        let (node, version) = ("n1".into(), "2025-06-18".into());
        assert_eq!(meaning, Meaning::Welcome { node, version });
        for (answer, refused) in [
            (r#"{"id":5,"result":{}}"#, false),
            (r#"{"id":5,"error":{"code":1,"message":"no"}}"#, true),
        ] {
            dialogue.ask(5);
            let meaning = dialogue.hear(answer.as_bytes()).unwrap();
            assert_eq!(meaning, Meaning::Answer { id: 5, refused });
        }
    }

    #[test]
    fn what_is_unasked_is_skipped_and_a_ping_answered() {
        let mut dialogue = Dialogue::default();
        let notification = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(dialogue.hear(notification).unwrap(), Meaning::Nothing);
        let meaning = dialogue
            .hear(br#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#)
            .unwrap();
        assert_eq!(
            meaning,
            Meaning::Pong("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{}}\n".to_owned())
        );
    }

    #[test]
    fn refusals_say_why() {
        let mut dialogue = Dialogue::default();
        assert_eq!(
            trouble(
                &mut dialogue,
                r#"{"id":null,"error":{"code":503,"message":"too many\nconnections"}}"#
            ),
            (
                Kind::Denied,
                "the server says no: too many.connections".to_owned()
            )
        );
        assert_eq!(
            trouble(&mut dialogue, r#"{"id":0,"error":"never"}"#),
            (Kind::Denied, r#"the server says no: "never""#.to_owned())
        );
    }

    #[test]
    fn answers_to_what_was_not_asked_are_no_answers() {
        let mut dialogue = Dialogue::default();
        assert_eq!(trouble(&mut dialogue, r#"{"id":5,"result":{}}"#).0, Kind::Garbage);
        dialogue.hear(RESULT).unwrap();
        assert_eq!(trouble(&mut dialogue, r#"{"id":0,"result":{}}"#).0, Kind::Garbage);
        dialogue.ask(5);
        for other in [
            r#"{"id":6,"result":{}}"#,
            r#"{"id":"5","result":{}}"#,
            r#"{"id":null,"error":{}}"#,
        ] {
            assert_eq!(trouble(&mut dialogue, other).0, Kind::Garbage);
        }
        assert_eq!(
            trouble(&mut dialogue, "SSH-2.0-OpenSSH\x07"),
            (Kind::Garbage, "no MCP: `SSH-2.0-OpenSSH.`".to_owned())
        );
    }

    #[test]
    fn a_server_without_a_name_is_no_server() {
        for result in [
            r#"{"serverInfo":{}}"#.to_owned(),
            format!(r#"{{"serverInfo":{{"name":"{}"}}}}"#, "x".repeat(256)),
        ] {
            let text = format!(r#"{{"id":0,"result":{result}}}"#);
            assert_eq!(trouble(&mut Dialogue::default(), &text).0, Kind::Garbage);
        }
    }
}
