//! The few JSON-RPC messages that a client sends and receives. Those that it sends end with a line
//! feed, which does no harm where messages are not lines.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::mcp::Revision;

/// The first message of a client. It is the same for all of them, so it is a constant.
pub(super) const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"#,
    r#""clientInfo":{"name":"clusterctl load-test","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}}"#,
    "\n",
);
/// The number of the first request.
pub(super) const FIRST_ID: u64 = 0;
/// The name of a server that reports none.
const UNNAMED: &str = "(unnamed)";
/// The message of a client after the answer to [`INITIALIZE`].
pub(super) const INITIALIZED: &str =
    concat!(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "\n");

/// `initialize` for this revision.
pub(super) fn initialize(revision: Revision) -> Cow<'static, str> {
    if revision == Revision::NEWEST_WITH_SESSIONS {
        INITIALIZE.into()
    } else {
        INITIALIZE
            .replace(Revision::NEWEST_WITH_SESSIONS.name(), revision.name())
            .into()
    }
}

/// A `server/discover` with this number, for a revision without sessions.
pub(super) fn discover(id: u64, revision: Revision) -> String {
    format!(
        concat!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"server/discover","params":{{"_meta":{{"#,
            r#""io.modelcontextprotocol/protocolVersion":"{revision}","#,
            r#""io.modelcontextprotocol/clientInfo":{{"name":"clusterctl load-test","version":"{version}"}},"#,
            r#""io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#,
            "\n",
        ),
        id = id,
        revision = revision,
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The name that a server without sessions reports in a result, if it does.
pub(super) fn server_name(result: &str) -> Option<String> {
    let welcome: Welcome<'_> = serde_json::from_str(result).ok()?;
    welcome.name().map(Cow::into_owned)
}

/// A `ping` with this number.
pub(super) fn ping(id: u64) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n")
}

/// The answer to a `ping` of the server, whose id is given as JSON.
pub(super) fn pong(id: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n")
}

/// A message of the server. Parts that no code uses stay text.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// The request with this number has succeeded.
    Result(Option<u64>, &'a RawValue),
    /// The request with this number has failed.
    Error(Option<u64>, &'a RawValue),
    /// The server has sent a `ping`. Its id, as JSON.
    Ping(&'a str),
    /// Any other message, which needs no answer.
    Other,
}

impl<'a> Message<'a> {
    /// Parses a message; `None` if it is not JSON-RPC.
    pub(super) fn read(text: &'a [u8]) -> Option<Message<'a>> {
        // serde would fill the fields from an array too, by position.
        if !text.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let envelope: Envelope<'a> = serde_json::from_slice(text).ok()?;
        let id = envelope.id.map(RawValue::get);
        let number = id.and_then(|id| id.parse().ok());
        match (envelope.method, envelope.result, envelope.error) {
            (Some(method), None, None) => Some(match id {
                Some(id) if method == "ping" => Message::Ping(id),
                _ => Message::Other,
            }),
            (None, Some(result), None) => Some(Message::Result(number, result)),
            (None, None, Some(error)) => Some(Message::Error(number, error)),
            _ => None,
        }
    }
}

/// The result of `initialize` or `server/discover`: the server's name and protocol version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Welcome<'a> {
    /// A revision of MCP.
    #[serde(borrow, default)]
    pub(super) protocol_version: Cow<'a, str>,
    #[serde(borrow, default)]
    server_info: Option<ServerInfo<'a>>,
    #[serde(borrow, default)]
    supported_versions: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<ResultMeta<'a>>,
}

impl<'a> Welcome<'a> {
    /// The server's name. Only `server/discover` may be answered without one.
    pub(super) fn name(self) -> Option<Cow<'a, str>> {
        let in_meta = self.meta.and_then(|meta| meta.server_info);
        let unnamed = self.supported_versions.map(|_| UNNAMED.into());
        self.server_info.or(in_meta).map(|server| server.name).or(unnamed)
    }
}

/// A JSON-RPC error.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal<'a> {
    /// The message.
    #[serde(borrow)]
    pub(super) message: Cow<'a, str>,
}

// Private

/// The server's name and version.
#[derive(Debug, Deserialize)]
struct ServerInfo<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// The metadata of a result.
#[derive(Debug, Deserialize)]
struct ResultMeta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/serverInfo")]
    server_info: Option<ServerInfo<'a>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A field that is present, even if it is null.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(field: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(field).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_to_send_are_json() {
        for text in [INITIALIZE, INITIALIZED, &ping(u64::MAX), &pong(r#""x""#)] {
            assert!(Message::read(text.as_bytes()).is_some(), "{text}");
        }
        let initialize: serde_json::Value = serde_json::from_str(INITIALIZE).unwrap();
        assert_eq!(initialize["id"], FIRST_ID);
        for revision in Revision::ALL.into_iter().filter(|one| one.has_sessions()) {
            let initialize: serde_json::Value = serde_json::from_str(&super::initialize(revision)).unwrap();
            assert_eq!(initialize["params"]["protocolVersion"], revision.name());
        }
        let discover: serde_json::Value = serde_json::from_str(&discover(7, Revision::NEWEST)).unwrap();
        assert_eq!(
            (&discover["id"], &discover["method"]),
            (&7.into(), &"server/discover".into())
        );
    }

    #[test]
    fn a_server_without_sessions_may_have_no_name() {
        let info = r#""io.modelcontextprotocol/serverInfo":{"name":"n1","version":"1"}"#;
        for (result, name) in [
            (
                format!(r#"{{"supportedVersions":[],"_meta":{{{info}}}}}"#),
                Some("n1"),
            ),
            (r#"{"supportedVersions":[]}"#.to_owned(), Some("(unnamed)")),
            ("{}".to_owned(), None),
        ] {
            assert_eq!(server_name(&result).as_deref(), name, "{result}");
        }
    }

    #[test]
    fn messages_are_parsed_by_kind() {
        let read = |text: &'static str| format!("{:?}", Message::read(text.as_bytes()));
        assert_eq!(
            read(r#"{"id":7,"result":null}"#),
            "Some(Result(Some(7), RawValue(null)))"
        );
        assert_eq!(
            read(r#" {"result":{},"id":7.5}"#),
            "Some(Result(None, RawValue({})))"
        );
        assert_eq!(
            read(r#"{"id":null,"error":{}}"#),
            "Some(Error(None, RawValue({})))"
        );
        assert_eq!(read(r#"{"id":"s","method":"ping"}"#), r#"Some(Ping("\"s\""))"#);
        assert_eq!(read(r#"{"method":"ping"}"#), "Some(Other)");
        assert_eq!(read(r#"{"id":1,"method":"\u0072oots/list"}"#), "Some(Other)");
        for none in [
            "",
            "{}",
            "[1,\"ping\",2,3]",
            r#"{"id":1}"#,
            "HTTP/1.1 400",
            "{\"id\":1,\"result\":1",
        ] {
            assert_eq!(read(none), "None", "{none}");
        }
    }
}
