//! The supported revisions of MCP.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A revision of the specification of MCP, which its messages call the protocol version.
///
/// There are two eras. Up to 2025-11-25 a client opens a session by `initialize`, and its requests
/// belong to that session. Since 2026-07-28 there are no sessions: each request carries all that a
/// server needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// The first revision.
    V2024_11_05,
    /// Streamable HTTP, batches.
    V2025_03_26,
    /// Removes batches. Adds the header `MCP-Protocol-Version`.
    V2025_06_18,
    /// The last revision with sessions.
    V2025_11_25,
    /// The first revision without sessions.
    V2026_07_28,
}

/// The text is not the name of a supported revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a supported revision of MCP")]
pub struct UnknownRevision;

impl Revision {
    /// All supported revisions, oldest first.
    pub const ALL: [Revision; 5] = [
        Revision::V2024_11_05,
        Revision::V2025_03_26,
        Revision::V2025_06_18,
        Revision::V2025_11_25,
        Revision::V2026_07_28,
    ];

    /// The newest revision.
    pub const NEWEST: Revision = Revision::V2026_07_28;

    /// The newest revision with sessions.
    pub const NEWEST_WITH_SESSIONS: Revision = Revision::V2025_11_25;

    /// The revision as it is written in messages and headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Revision::V2024_11_05 => "2024-11-05",
            Revision::V2025_03_26 => "2025-03-26",
            Revision::V2025_06_18 => "2025-06-18",
            Revision::V2025_11_25 => "2025-11-25",
            Revision::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision called `name`, if it is supported.
    #[must_use]
    pub fn named(name: &str) -> Option<Revision> {
        Revision::ALL.into_iter().find(|revision| revision.name() == name)
    }

    /// Whether a client opens a session by `initialize`. If not, its requests are stateless.
    #[must_use]
    pub fn has_sessions(self) -> bool {
        self <= Revision::NEWEST_WITH_SESSIONS
    }

    /// The first revision without sessions. Revisions are dates, so their names compare as texts.
    pub const FIRST_WITHOUT_SESSIONS: Revision = Revision::V2026_07_28;

    /// The revisions without sessions, oldest first.
    pub fn without_sessions() -> impl Iterator<Item = Revision> {
        Revision::ALL
            .into_iter()
            .filter(|revision| !revision.has_sessions())
    }

    /// The revision that a server answers to an `initialize` that requests `name`: the same if the
    /// server supports it and it has sessions, else the newest that has them. A client that cannot
    /// use that revision disconnects.
    #[must_use]
    pub fn negotiate(name: &str) -> Revision {
        Revision::named(name)
            .filter(|revision| revision.has_sessions())
            .unwrap_or(Revision::NEWEST_WITH_SESSIONS)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Revision {
    type Err = UnknownRevision;

    fn from_str(name: &str) -> Result<Revision, UnknownRevision> {
        Revision::named(name).ok_or(UnknownRevision)
    }
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Revision, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initialize_keeps_revisions_with_sessions_and_gets_the_newest_of_them_for_others() {
        for revision in Revision::ALL.into_iter().filter(|one| one.has_sessions()) {
            assert_eq!(Revision::negotiate(revision.name()), revision);
        }
        for other in ["", "2026-07-28", "1.0", "2025-11-25 "] {
            assert_eq!(
                Revision::negotiate(other),
                Revision::NEWEST_WITH_SESSIONS,
                "{other}"
            );
        }
    }

    #[test]
    fn sessions_end_with_the_newest_revision_that_has_them() {
        assert!(Revision::ALL.is_sorted());
        assert_eq!(Revision::ALL.last(), Some(&Revision::NEWEST));
        assert!(Revision::NEWEST_WITH_SESSIONS.has_sessions());
        assert!(!Revision::V2026_07_28.has_sessions());
    }

    #[test]
    fn a_revision_is_written_and_read_by_its_name() {
        for revision in Revision::ALL {
            assert_eq!(revision.to_string().parse(), Ok(revision));
            let json = serde_json::to_string(&revision).unwrap();
            assert_eq!(serde_json::from_str::<Revision>(&json).unwrap(), revision);
        }
        assert_eq!("2026-07-29".parse::<Revision>(), Err(UnknownRevision));
    }
}
