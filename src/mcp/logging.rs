//! Severity levels of log messages, and the level that a client sets.

use serde::{Deserialize, Serialize};

/// The levels of syslog (RFC 5424), least grave first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are syslog's")]
pub enum Level {
    Debug,
    #[default]
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// The parameters of `logging/setLevel`.
#[derive(Debug, Deserialize)]
pub struct SetLevelParams {
    /// The lowest level that the client wants to receive.
    pub level: Level,
}
