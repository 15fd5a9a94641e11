//! The settings of a node.

use std::net::SocketAddr;
use std::time::Duration;

use super::Faults;

/// The settings of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name, which it sends in `serverInfo`.
    pub name: String,
    /// The address for MCP over TCP, if the node serves it; port 0 takes a free one.
    pub tcp: Option<SocketAddr>,
    /// The address for MCP over HTTP, if the node serves it.
    pub http: Option<SocketAddr>,
    /// The number of threads, each with its own descriptor table; at least one.
    pub workers: u16,
    /// The most connections at the same time, TCP and HTTP together. Further ones are refused.
    pub max_connections: u32,
    /// Hosts whose web pages may use the node, in addition to this machine.
    pub allowed_origins: Vec<String>,
    /// How long the end is announced, by `/ready`, while connections are still accepted.
    pub announce: Duration,
    /// The time over which the connections that are left are closed.
    pub over: Duration,
    /// Its deliberate faults.
    pub faults: Faults,
}

impl Settings {
    /// The defaults: no HTTP, one worker per processor, 35,000 connections, no web pages of other
    /// hosts, an end without an announcement, no faults.
    #[must_use]
    pub fn new(name: impl Into<String>, tcp: Option<SocketAddr>) -> Settings {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Settings {
            name: name.into(),
            tcp,
            http: None,
            workers: u16::try_from(processors).unwrap_or(u16::MAX),
            max_connections: 35_000,
            allowed_origins: Vec::new(),
            announce: Duration::ZERO,
            over: Duration::ZERO,
            faults: Faults::default(),
        }
    }
}
