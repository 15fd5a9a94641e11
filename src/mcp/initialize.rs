//! The handshake.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Version;

/// What a client says of itself in `initialize`; the rest is not needed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeParams<'a> {
    /// The version that it wants to speak.
    #[serde(borrow)]
    pub protocol_version: Cow<'a, str>,
}

/// What a server with tools says of itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitializeResult<'a> {
    /// The version that will be spoken.
    pub protocol_version: Version,
    /// What it can do.
    capabilities: Capabilities,
    /// Who it is.
    pub server_info: Implementation<'a>,
}

/// A program that speaks MCP.
#[derive(Clone, Debug, Serialize)]
pub struct Implementation<'a> {
    /// Its name; a node's own, not the program's, so that clients can tell nodes apart.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
}

impl<'a> InitializeResult<'a> {
    /// The answer of `server_info` to a client that sent `params`.
    #[must_use]
    pub fn to(params: &InitializeParams<'_>, server_info: Implementation<'a>) -> InitializeResult<'a> {
        InitializeResult {
            protocol_version: Version::negotiate(&params.protocol_version),
            capabilities: Capabilities::default(),
            server_info,
        }
    }
}

// Private

/// Tools that never change, and messages for the client's log.
#[derive(Clone, Debug, Default, Serialize)]
struct Capabilities {
    logging: Plain,
    tools: Unchanging,
}

/// `{}`
#[derive(Clone, Debug, Default, Serialize)]
struct Plain {}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Unchanging {
    list_changed: bool,
}
