//! Which requests are of a revision of MCP without sessions.

/// A pattern for the `MCP-Protocol-Version` of 2026-07-28 and of every later date. From that
/// revision on there are no sessions, and a client's `Mcp-Session-Id` has no meaning. Anything that
/// is not a date is a revision with sessions, as is a request without the header. The pattern means
/// the same as an extended regular expression of POSIX and as one of Perl: neither HAProxy nor
/// nginx compares strings by order.
pub(crate) const WITHOUT_SESSIONS: &str = concat!(
    "^(2026-(07-(2[89]|[3-9][0-9])|(0[89]|[1-9][0-9])-[0-9][0-9])",
    "|(202[7-9]|20[3-9][0-9]|2[1-9][0-9][0-9]|[3-9][0-9][0-9][0-9])-[0-9][0-9]-[0-9][0-9])$",
);
