//! What requests and results of MCP 2026-07-28 carry, since there are no sessions.
//!
//! Specification: <https://modelcontextprotocol.io/specification/2026-07-28/basic#meta>.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Capabilities, Code, Id, Implementation, Level, Params, Revision, RpcError};

/// The key in `_meta` with the revision of a request.
pub const PROTOCOL_VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// How long clients may keep a list or a discovery, in milliseconds: 5 minutes. Neither changes while
/// a node runs.
const TIME_TO_LIVE: u32 = 300_000;

/// The part of the parameters that all requests have.
#[derive(Debug, Default, Deserialize)]
pub struct StatelessParams<'a> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<RequestMeta<'a>>,
}

/// The metadata of a request.
#[derive(Debug, Default, Deserialize)]
pub struct RequestMeta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    protocol_version: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    client_capabilities: Option<&'a RawValue>,
    /// The lowest level of log messages that the client wants to receive while the request is
    /// served; none without it.
    #[serde(default, rename = "io.modelcontextprotocol/logLevel")]
    pub log_level: Option<Level>,
}

/// The parameters of `subscriptions/listen`. Which notifications the client wants is not read: a
/// server whose lists never change has none of them.
#[derive(Debug, Deserialize)]
pub struct ListenParams<'a> {
    #[serde(borrow)]
    notifications: &'a RawValue,
}

/// A result that is complete, with the metadata of all results.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Complete<'a, T> {
    result_type: &'static str,
    #[serde(flatten)]
    result: &'a T,
    #[serde(flatten)]
    caching: Option<Caching>,
    #[serde(rename = "_meta")]
    meta: ResultMeta<'a>,
}

/// The result of `server/discover`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscoverResult {
    supported_versions: Vec<Revision>,
    capabilities: Capabilities,
}

/// The result of `subscriptions/listen`, when the server ends the stream.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionEnd {}

impl<'a> StatelessParams<'a> {
    /// The revision that the request names.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.meta.as_ref()?.protocol_version.as_deref()
    }

    /// The metadata.
    ///
    /// # Errors
    /// If a part is missing that every request needs.
    pub fn meta(self) -> Result<RequestMeta<'a>, RpcError> {
        let missing = |key| {
            RpcError::new(
                Code::InvalidParams,
                format!("invalid params: no `{key}` in `_meta`"),
            )
        };
        let meta = self.meta.unwrap_or_default();
        if meta.protocol_version.is_none() {
            return Err(missing(PROTOCOL_VERSION_KEY));
        }
        let capabilities = meta.client_capabilities.map(RawValue::get);
        if !capabilities.is_some_and(|json| json.starts_with('{')) {
            return Err(missing("io.modelcontextprotocol/clientCapabilities"));
        }
        Ok(meta)
    }
}

impl ListenParams<'_> {
    /// Checks the parameters.
    ///
    /// # Errors
    /// If they do not say which notifications the client wants.
    pub fn check(params: Params<'_>) -> Result<(), RpcError> {
        let ListenParams { notifications } = params.read()?;
        if notifications.get().starts_with('{') {
            Ok(())
        } else {
            let why = "invalid params: `notifications` is not an object";
            Err(RpcError::new(Code::InvalidParams, why))
        }
    }
}

impl<'a, T: Serialize> Complete<'a, T> {
    /// A result of `server_info`.
    #[must_use]
    pub fn new(result: &'a T, server_info: Implementation<'a>) -> Complete<'a, T> {
        Complete {
            result_type: "complete",
            result,
            caching: None,
            meta: ResultMeta {
                server_info,
                subscription: None,
            },
        }
    }

    /// The result, for clients to keep for some time.
    #[must_use]
    pub fn cacheable(self) -> Complete<'a, T> {
        let caching = Caching {
            ttl_ms: TIME_TO_LIVE,
            cache_scope: "public",
        };
        Complete {
            caching: Some(caching),
            ..self
        }
    }

    /// The result that ends the stream which the request with this id opened.
    #[must_use]
    pub fn of_subscription(mut self, id: &'a Id) -> Complete<'a, T> {
        self.meta.subscription = Some(id);
        self
    }
}

impl DiscoverResult {
    /// The result. Like the official SDKs, it has no revisions with sessions: those are for
    /// `initialize`.
    #[must_use]
    pub fn new() -> DiscoverResult {
        DiscoverResult {
            supported_versions: Revision::without_sessions().collect(),
            capabilities: Capabilities::default(),
        }
    }
}

impl Default for DiscoverResult {
    fn default() -> DiscoverResult {
        DiscoverResult::new()
    }
}

// Private

/// What caches may do with a result.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Caching {
    ttl_ms: u32,
    cache_scope: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct ResultMeta<'a> {
    #[serde(rename = "io.modelcontextprotocol/serverInfo")]
    server_info: Implementation<'a>,
    #[serde(
        rename = "io.modelcontextprotocol/subscriptionId",
        skip_serializing_if = "Option::is_none"
    )]
    subscription: Option<&'a Id>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meta(params: &str) -> Result<Option<Level>, RpcError> {
        let params: StatelessParams<'_> = serde_json::from_str(params).unwrap();
        params.meta().map(|meta| meta.log_level)
    }

    #[test]
    fn requests_need_a_revision_and_capabilities() {
        let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
        let capabilities = r#""io.modelcontextprotocol/clientCapabilities":{}"#;
        for (meta_json, missing) in [
            ("{}", "protocolVersion"),
            (&format!("{{{capabilities}}}"), "protocolVersion"),
            (&format!("{{{version}}}"), "clientCapabilities"),
        ] {
            let error = meta(&format!(r#"{{"_meta":{meta_json}}}"#)).unwrap_err();
            assert_eq!(error.code, -32602);
            assert!(error.message.contains(missing), "{error}");
        }
        assert_eq!(meta("{}").unwrap_err().code, -32602);
        let level = r#""io.modelcontextprotocol/logLevel":"error""#;
        let whole = format!(r#"{{"_meta":{{{version},{capabilities},{level},"other":[]}}}}"#);
        assert_eq!(meta(&whole), Ok(Some(Level::Error)));
    }

    #[test]
    fn results_say_that_they_are_complete_and_which_server_sent_them() {
        let info = Implementation {
            name: "n1",
            version: "1",
        };
        let discovered = DiscoverResult::new();
        let result = Complete::new(&discovered, info.clone()).cacheable();
        assert_eq!(
            serde_json::to_value(&result).unwrap(),
            json!({
                "resultType": "complete",
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"logging": {}, "tools": {"listChanged": false}},
                "ttlMs": 300_000,
                "cacheScope": "public",
                "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "n1", "version": "1"}},
            })
        );
        let id = Id::null();
        let end = Complete::new(&SubscriptionEnd {}, info).of_subscription(&id);
        let json = serde_json::to_value(&end).unwrap();
        assert_eq!(
            json["_meta"]["io.modelcontextprotocol/subscriptionId"],
            json!(null)
        );
        assert_eq!(json["ttlMs"], json!(null));
    }
}
