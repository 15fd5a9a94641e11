//! The routing algorithms, and the facts about each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which node a new client gets, in HAProxy's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Each in its turn, by weight.
    Roundrobin,
    /// The one with the fewest connections.
    Leastconn,
    /// By a hash of the client's address.
    Source,
    /// By a hash of the path; HTTP only.
    Uri,
}

/// Facts about an algorithm. How the built-in balancer carries it out is in
/// `crate::dataplane::balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgorithmFacts {
    /// The name in profiles, and HAProxy's word for it.
    pub name: &'static str,
    /// nginx's directive for it in an `upstream`; `None` for what nginx does without one.
    pub nginx: Option<&'static str>,
    /// What a client's node is computed from; `None` where clients are spread by turns or by load.
    pub hashes: Option<HashKey>,
}

/// What an algorithm computes a client's node from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// The client's address.
    Address,
    /// The path of the request; raw TCP has none.
    Uri,
}

impl Algorithm {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Algorithm; 4] = [
        Algorithm::Roundrobin,
        Algorithm::Leastconn,
        Algorithm::Source,
        Algorithm::Uri,
    ];

    /// The facts about it.
    #[must_use]
    pub const fn facts(self) -> &'static AlgorithmFacts {
        match self {
            Algorithm::Roundrobin => &AlgorithmFacts {
                name: "roundrobin",
                nginx: None,
                hashes: None,
            },
            Algorithm::Leastconn => &AlgorithmFacts {
                name: "leastconn",
                nginx: Some("least_conn"),
                hashes: None,
            },
            Algorithm::Source => &AlgorithmFacts {
                name: "source",
                // `split_clients` hashes addresses; the upstream gets only clients without a node.
                nginx: Some("least_conn"),
                hashes: Some(HashKey::Address),
            },
            Algorithm::Uri => &AlgorithmFacts {
                name: "uri",
                nginx: Some("hash $uri consistent"),
                hashes: Some(HashKey::Uri),
            },
        }
    }

    /// The name in profiles, and HAProxy's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Whether it needs HTTP requests, which raw TCP does not have.
    #[must_use]
    pub fn needs_http(self) -> bool {
        self.facts().hashes == Some(HashKey::Uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_profile() {
        for algorithm in Algorithm::ALL {
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.name());
        }
    }

    #[test]
    fn the_documents_list_all_of_them() {
        let names = Algorithm::ALL.map(Algorithm::name);
        let profile = include_str!("../../profiles/default.yaml");
        assert!(profile.contains(&format!("# algorithm: {}\n", names.join(" | "))));
        let operations = include_str!("../../docs/operations.md");
        assert!(operations.contains(&format!("the algorithm (`{}`)", names.join("`, `"))));
    }
}
