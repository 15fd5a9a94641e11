//! The load balancers that can run a cluster, and the facts about each.

use std::fmt;

use nix::sys::signal::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const KIB: u64 = 1 << 10;

/// The load balancers that can run a cluster; each is a drop-in for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BalancerKind {
    /// HAProxy.
    Haproxy,
    /// nginx.
    Nginx,
    /// The data plane inside this binary.
    Builtin,
}

/// Facts about a balancer that hold wherever it runs. How it is configured, checked and run is in
/// `crate::balancer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct BalancerFacts {
    /// The name that commands and files use.
    pub name: &'static str,
    /// The name as its makers write it.
    pub title: &'static str,
    /// The Debian packages that install it; `None` for the one inside this binary.
    pub packages: Option<&'static str>,
    /// What there is more of where the descriptors of one are not enough.
    pub scales_by: ScaledBy,
    /// Memory of one connection, tables of sticky clients included. Measured, rounded up.
    pub bytes_per_connection: u64,
    /// Whether it serves HTTP over TLS.
    pub serves_https: bool,
    /// Whether it counts the sessions of each server, and serves a page of them.
    pub counts_servers: bool,
    /// Whether it remembers which node served a client. A balancer that computes the node sends
    /// a client back that was served by another one for a while.
    pub remembers_clients: bool,
    /// Why it cannot limit new connections per second of raw TCP; `None` if it does.
    pub no_tcp_connection_rate: Option<&'static str>,
    /// Why it cannot limit messages per second inside raw TCP; `None` if it does.
    pub no_tcp_message_rate: Option<&'static str>,
    /// Why it does not take a node out after errors over HTTP in a row; `None` if it does.
    pub no_error_ejection: Option<&'static str>,
    /// Why it does not end connections over TCP by their age; `None` if it does.
    pub no_tcp_max_age: Option<&'static str>,
    /// Why connections over HTTP that began together end together by their age; `None` if they do not.
    pub no_max_age_jitter: Option<&'static str>,
    /// Why it does not write `access_log`; `None` if it does.
    pub no_access_log: Option<&'static str>,
    /// Whether it inherits its listeners as descriptors, and does not request them from the process
    /// that has opened them.
    pub inherits_listeners: bool,
    /// After this signal it accepts nothing more, and ends with its last connection.
    pub drain_signal: Signal,
    /// Whether SIGTERM makes it close its clients over the time that a stop gives for that. The
    /// supervisor closes those of the others.
    pub closes_clients: bool,
}

/// What a balancer has more of where the descriptors of one are not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaledBy {
    /// Processes that share their listeners; one where one is enough.
    Processes,
    /// Worker processes of one master.
    Workers,
    /// Threads, each with a descriptor table of its own.
    Threads,
}

impl BalancerKind {
    /// All of them, in the order in which they are listed.
    pub const ALL: [BalancerKind; 3] = [BalancerKind::Builtin, BalancerKind::Haproxy, BalancerKind::Nginx];

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<BalancerKind> {
        BalancerKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The facts about it.
    #[must_use]
    pub const fn facts(self) -> &'static BalancerFacts {
        match self {
            BalancerKind::Haproxy => &BalancerFacts {
                name: "haproxy",
                title: "HAProxy",
                packages: Some("haproxy"),
                scales_by: ScaledBy::Processes,
                bytes_per_connection: 6 * KIB,
                serves_https: true,
                counts_servers: true,
                remembers_clients: true,
                no_tcp_connection_rate: None,
                no_tcp_message_rate: Some(
                    "haproxy sees no messages inside a TCP connection; HTTP requests are limited",
                ),
                no_error_ejection: None,
                no_tcp_max_age: Some("haproxy ends only connections over HTTP by their age"),
                no_max_age_jitter: None,
                no_access_log: Some("haproxy logs to a system log only"),
                inherits_listeners: false,
                drain_signal: Signal::SIGUSR1,
                closes_clients: false,
            },
            BalancerKind::Nginx => &BalancerFacts {
                name: "nginx",
                title: "nginx",
                // Without the stream module it serves HTTP only.
                packages: Some("nginx libnginx-mod-stream"),
                scales_by: ScaledBy::Workers,
                bytes_per_connection: 12 * KIB,
                serves_https: true,
                counts_servers: false,
                remembers_clients: false,
                no_tcp_connection_rate: Some(
                    "nginx's stream module limits connections at the same time only",
                ),
                no_tcp_message_rate: Some(
                    "nginx sees no messages inside a TCP connection; HTTP requests are limited",
                ),
                no_error_ejection: Some("nginx counts 5xx only where it sends the request to another node"),
                no_tcp_max_age: Some("nginx ends only connections over HTTP by their age"),
                no_max_age_jitter: Some(
                    "nginx has one age for all connections, and before 1.19.10 it has none",
                ),
                no_access_log: Some("nginx logs to `logs/nginx-access.log`"),
                inherits_listeners: true,
                drain_signal: Signal::SIGQUIT,
                closes_clients: false,
            },
            BalancerKind::Builtin => &BalancerFacts {
                name: "builtin",
                title: "built-in",
                packages: None,
                scales_by: ScaledBy::Threads,
                bytes_per_connection: 4 * KIB,
                serves_https: false,
                counts_servers: true,
                remembers_clients: true,
                no_tcp_connection_rate: None,
                no_tcp_message_rate: None,
                no_error_ejection: None,
                no_tcp_max_age: None,
                no_max_age_jitter: None,
                no_access_log: None,
                inherits_listeners: false,
                drain_signal: Signal::SIGUSR1,
                closes_clients: true,
            },
        }
    }

    /// The name that commands and files use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }
}

impl fmt::Display for BalancerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_profile() {
        for kind in BalancerKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
