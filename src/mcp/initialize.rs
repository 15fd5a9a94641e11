//! The handshake.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Revision;

/// The parameters of `initialize` that a server needs; the others are skipped.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeParams<'a> {
    /// The version that the client requests.
    #[serde(borrow)]
    pub protocol_version: Cow<'a, str>,
}

/// A server's answer to `initialize`, with the capability of tools.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeResult<'a> {
    /// The version that the server has chosen.
    pub protocol_version: Revision,
    /// Its capabilities.
    capabilities: Capabilities,
    /// The server's name and version.
    pub server_info: Implementation<'a>,
}

/// A program that speaks MCP.
#[derive(Clone, Debug, Serialize)]
pub struct Implementation<'a> {
    /// Its name; each node has its own, so that clients can distinguish nodes.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
}

impl<'a> InitializeResult<'a> {
    /// The answer of `server_info` to a client that sent `params`.
    #[must_use]
    pub fn to(params: &InitializeParams<'_>, server_info: Implementation<'a>) -> InitializeResult<'a> {
        InitializeResult {
            protocol_version: Revision::negotiate(&params.protocol_version),
            capabilities: Capabilities::default(),
            server_info,
        }
    }
}

/// What a server offers: tools that never change, and messages for the client's log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Capabilities {
    logging: Plain,
    tools: Unchanging,
}

// Private

/// `{}`
#[derive(Clone, Debug, Default, Serialize)]
struct Plain {}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Unchanging {
    list_changed: bool,
}
