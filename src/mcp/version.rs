//! The supported revisions of MCP.

use serde::{Serialize, Serializer};

/// A revision of MCP with an `initialize` handshake, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// The first revision.
    V2024_11_05,
    /// Streamable HTTP, batches.
    V2025_03_26,
    /// Removes batches.
    V2025_06_18,
    /// The last revision with sessions.
    V2025_11_25,
}

impl Version {
    /// All supported revisions, oldest first.
    pub const ALL: [Version; 4] = [
        Version::V2024_11_05,
        Version::V2025_03_26,
        Version::V2025_06_18,
        Version::V2025_11_25,
    ];

    /// The newest.
    pub const NEWEST: Version = Version::V2025_11_25;

    /// The revision as it is written in messages and headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Version::V2024_11_05 => "2024-11-05",
            Version::V2025_03_26 => "2025-03-26",
            Version::V2025_06_18 => "2025-06-18",
            Version::V2025_11_25 => "2025-11-25",
        }
    }

    /// The version called `name`, if it is supported.
    #[must_use]
    pub fn named(name: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|version| version.name() == name)
    }

    /// The version that a server answers to a client that requests `name`: the same if the server
    /// supports it, else its newest. A client that cannot use that version disconnects.
    #[must_use]
    pub fn negotiate(name: &str) -> Version {
        Version::named(name).unwrap_or(Version::NEWEST)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_are_kept_and_others_become_the_newest() {
        for version in Version::ALL {
            assert_eq!(Version::negotiate(version.name()), version);
        }
        for unknown in ["", "2026-07-28", "1.0", "2025-11-25 "] {
            assert_eq!(Version::negotiate(unknown), Version::NEWEST, "{unknown}");
        }
        assert_eq!(Version::ALL.iter().max(), Some(&Version::NEWEST));
    }
}
