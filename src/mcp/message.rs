//! One incoming message.

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Code, Id, Response, RpcError};

/// The most messages in one batch.
pub const MAX_BATCH: usize = 100;

/// The content of one text.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// A message.
    One(Message<'a>),
    /// Several messages: part of MCP 2025-03-26 only. Each may be refused on its own.
    Batch(Vec<Result<Message<'a>, Response>>),
}

/// One message.
#[derive(Debug)]
pub enum Message<'a> {
    /// A message that needs a response.
    Request(Request<'a>),
    /// A message without a response.
    Notification {
        /// The method.
        method: String,
        /// Its parameters.
        params: Params<'a>,
    },
    /// The response to one of our own requests.
    Response,
}

/// A message that needs a response.
#[derive(Debug)]
pub struct Request<'a> {
    /// The id that the response repeats.
    pub id: Id,
    /// The method.
    pub method: String,
    /// Its parameters.
    pub params: Params<'a>,
}

/// The parameters of a request, or the arguments of a tool, not parsed yet. Missing and null are
/// the same.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Params<'a>(#[serde(borrow)] Option<&'a RawValue>);

/// The parameters of `notifications/cancelled`: the client no longer wants the answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelledParams<'a> {
    #[serde(borrow)]
    request_id: &'a RawValue,
}

impl CancelledParams<'_> {
    /// The request.
    #[must_use]
    pub fn request(&self) -> Option<Id> {
        Id::read(self.request_id)
    }
}

impl<'a> Incoming<'a> {
    /// Parses one text.
    ///
    /// # Errors
    /// The response to send if the text is not a message.
    pub fn parse(text: &'a [u8]) -> Result<Incoming<'a>, Response> {
        if text.trim_ascii_start().starts_with(b"[") {
            let Batch(texts) = serde_json::from_slice(text).map_err(|error| refusal(&error))?;
            if texts.is_empty() {
                return Err(invalid(Id::null(), "an empty batch"));
            }
            let messages = texts.into_iter().map(|raw| Message::parse(raw.get().as_bytes()));
            Ok(Incoming::Batch(messages.collect()))
        } else {
            Message::parse(text).map(Incoming::One)
        }
    }
}

impl<'a> Message<'a> {
    /// Parses one text that is not a batch.
    ///
    /// # Errors
    /// The response to send if the text is not a message.
    pub fn parse(text: &'a [u8]) -> Result<Message<'a>, Response> {
        let envelope: Envelope<'a> = serde_json::from_slice(text).map_err(|error| refusal(&error))?;
        // serde would fill the fields from an array too, by position.
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(invalid(Id::null(), "not an object"));
        }
        envelope.open()
    }
}

impl<'a> Params<'a> {
    /// Parses the parameters as the type that the method needs; unknown fields are skipped.
    ///
    /// # Errors
    /// When the parameters are not an object, or lack what the method needs.
    pub fn read<T: Deserialize<'a>>(self) -> Result<T, RpcError> {
        let text = self.0.map_or("{}", RawValue::get);
        if !text.starts_with('{') {
            return Err(RpcError::new(
                Code::InvalidParams,
                "invalid params: not an object",
            ));
        }
        serde_json::from_str(text).map_err(|error| {
            RpcError::new(Code::InvalidParams, format!("invalid params: {}", reason(&error)))
        })
    }
}

// Private

/// The fields of all kinds of messages. They stay raw, so that a bad field is distinguished from
/// bad JSON and the id is known.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A field that is present, even if it is null: an id of null is not a missing id.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl<'a> Envelope<'a> {
    fn open(self) -> Result<Message<'a>, Response> {
        let id = match self.id.map(Id::read) {
            None => None,
            Some(Some(id)) => Some(id),
            Some(None) => return Err(invalid(Id::null(), "id: not a string or number")),
        };
        let refuse = |id: Option<Id>, why| Err(invalid(id.unwrap_or_else(Id::null), why));
        if self.jsonrpc.map(RawValue::get) != Some(r#""2.0""#) {
            return refuse(id, r#"jsonrpc: not "2.0""#);
        }
        let Some(method) = self.method else {
            return match (self.result, self.error) {
                (Some(_), None) | (None, Some(_)) => Ok(Message::Response),
                _ => refuse(id, "neither method nor result nor error"),
            };
        };
        let Ok(method) = serde_json::from_str(method.get()) else {
            return refuse(id, "method: not a string");
        };
        Ok(match id {
            Some(id) => Message::Request(Request {
                id,
                method,
                params: Params(self.params),
            }),
            None => Message::Notification {
                method,
                params: Params(self.params),
            },
        })
    }
}

/// The texts of a batch. Parsing stops at the limit: a text of many short elements must not become
/// a list many times its size.
struct Batch<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Batch<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Batch<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "a batch")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Batch<'de>, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = elements.next_element()? {
                    if texts.len() == MAX_BATCH {
                        return Err(de::Error::custom(format_args!(
                            "a batch of more than {MAX_BATCH}"
                        )));
                    }
                    texts.push(text);
                }
                Ok(Batch(texts))
            }
        }

        deserializer.deserialize_seq(Texts)
    }
}

fn refusal(error: &serde_json::Error) -> Response {
    let (code, prefix) = match error.classify() {
        serde_json::error::Category::Data => (Code::InvalidRequest, "invalid request"),
        _ => (Code::ParseError, "not JSON"),
    };
    Response::error(
        Id::null(),
        RpcError::new(code, format!("{prefix}: {}", reason(error))),
    )
}

fn invalid(id: Id, why: &str) -> Response {
    Response::error(
        id,
        RpcError::new(Code::InvalidRequest, format!("invalid request: {why}")),
    )
}

/// serde's message, cut to a length that fits a log line or an answer: it quotes the input.
fn reason(error: &serde_json::Error) -> String {
    const LONGEST: usize = 200;
    let mut reason = error.to_string();
    if let Some((end, _)) = reason.char_indices().nth(LONGEST) {
        reason.truncate(end);
        reason.push_str("..");
    }
    reason
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Deserialize)]
    struct Wanted {
        y: u8,
    }

    fn refused(text: &str) -> String {
        let response = match Incoming::parse(text.as_bytes()) {
            Err(response) => response,
            Ok(incoming) => panic!("{text} was read as {incoming:?}"),
        };
        String::from_utf8(response.to_json()).unwrap()
    }

    #[test]
    fn requests_keep_their_id_and_params() {
        let text = br#" {"jsonrpc":"2.0","id":1.0,"method":"a\u0062","params":{"x":[1,{}],"y":2},"extra":0}"#;
        let Ok(Incoming::One(Message::Request(request))) = Incoming::parse(text) else {
            panic!("not a request");
        };
        assert_eq!((request.id.as_json(), request.method.as_str()), ("1.0", "ab"));
        assert_eq!(request.params.read::<Wanted>().unwrap().y, 2);
    }

    #[test]
    fn an_id_makes_the_difference_even_a_null_one() {
        let text = br#"{"jsonrpc":"2.0","method":"m"}"#;
        assert!(matches!(Message::parse(text), Ok(Message::Notification { .. })));
        let text = br#"{"jsonrpc":"2.0","method":"m","id":null}"#;
        assert!(matches!(Message::parse(text), Ok(Message::Request(_))));
        let text = br#"{"jsonrpc":"2.0","id":1,"result":null}"#;
        assert!(matches!(Message::parse(text), Ok(Message::Response)));
    }

    #[test]
    fn every_refusal_has_its_code_and_what_id_there_is() {
        for (text, code, id) in [
            ("", -32700, "null"),
            ("{", -32700, "null"),
            ("garbage", -32700, "null"),
            (
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\u{1}\"}",
                -32700,
                "null",
            ),
            ("7", -32600, "null"),
            ("[]", -32600, "null"),
            (r#"{"id":5,"method":"m"}"#, -32600, "5"),
            (r#"{"jsonrpc":"1.0","id":5,"method":"m"}"#, -32600, "5"),
            (r#"{"jsonrpc":"2.0","id":5,"method":7}"#, -32600, "5"),
            (r#"{"jsonrpc":"2.0","id":"x"}"#, -32600, r#""x""#),
            (r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, -32600, "null"),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}"#, -32600, "null"),
        ] {
            let json = refused(text);
            assert!(
                json.contains(&format!(r#""id":{id},"error":{{"code":{code},"#)),
                "{text}: {json}"
            );
        }
    }

    #[test]
    fn params_that_do_not_fit_are_refused() {
        let refused = |params: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{params}}}"#);
            let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else {
                panic!("not a request");
            };
            request.params.read::<crate::mcp::CallParams<'_>>().err()
        };
        for params in ["[]", "7", "null", "{}", r#"["echo",{}]"#, r#"{"name":7}"#] {
            assert_eq!(refused(params).unwrap().code, -32602, "{params}");
        }
        assert_eq!(refused(r#"{"name":"echo"}"#), None);
    }

    #[test]
    fn batches_are_read_one_by_one_and_bounded() {
        let text = br#"[{"jsonrpc":"2.0","id":1,"method":"m"}, 7, {"jsonrpc":"2.0","method":"n"}]"#;
        let Ok(Incoming::Batch(messages)) = Incoming::parse(text) else {
            panic!("not a batch");
        };
        assert!(matches!(
            messages.as_slice(),
            [Ok(Message::Request(_)), Err(_), Ok(Message::Notification { .. })]
        ));
        let long = format!("[{}1]", "1,".repeat(1_000_000));
        assert!(refused(&long).contains("a batch of more than 100"));
    }

    #[test]
    fn deep_nesting_is_handled() {
        let deep = "[".repeat(1_000_000);
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{deep}"#);
        assert!(refused(&text).contains("-32700"));
        assert!(refused(&deep).contains("-32700"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Incoming::parse(&text);
        }

        #[test]
        fn no_json_panics_and_every_refusal_is_json(text in r#"[\[\]{}",:0-9a-z \\"jsonrpc":"2.0"]{0,80}"#) {
            if let Err(response) = Incoming::parse(text.as_bytes()) {
                let json: serde_json::Value = serde_json::from_slice(&response.to_json()).unwrap();
                prop_assert!(json["error"]["code"].is_i64());
            }
        }

        #[test]
        fn any_id_comes_back_as_it_was(number: i64, text: String) {
            for id in [number.to_string(), serde_json::to_string(&text).unwrap()] {
                let json = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#);
                let Ok(Message::Request(request)) = Message::parse(json.as_bytes()) else {
                    panic!("not a request: {json}");
                };
                prop_assert_eq!(request.id.as_json(), id);
            }
        }
    }
}
