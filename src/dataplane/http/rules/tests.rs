//! Messages and settings for the tests of the rules.

use httparse::Header;

use crate::dataplane::http::{Connection, Framing, Request, Response, Version};
use crate::dataplane_config::{DataplaneHttpBackend, DataplaneRoutes};
use crate::profile::Paths;

/// A request, before it is sent.
#[derive(Debug)]
pub(super) struct Asked {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    framing: Framing,
    pub(super) version: Version,
    pub(super) upgrades: bool,
}

/// An answer, before it is sent.
#[derive(Debug)]
pub(super) struct Answered {
    status: u16,
    headers: Vec<(&'static str, String)>,
    framing: Framing,
}

impl Asked {
    pub(super) fn new(method: &'static str, target: &str) -> Asked {
        Asked {
            method,
            target: target.to_owned(),
            headers: Vec::new(),
            framing: Framing::Empty,
            version: Version::Http11,
            upgrades: false,
        }
    }

    pub(super) fn header(mut self, (name, value): (&'static str, &str)) -> Asked {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn framed(mut self, framing: Framing) -> Asked {
        self.framing = framing;
        self
    }

    pub(super) fn with<T>(&self, then: impl FnOnce(&Request) -> T) -> T {
        let headers = headers(&self.headers);
        then(&Request {
            method: self.method,
            target: &self.target,
            version: self.version,
            headers: &headers,
            framing: self.framing,
            connection: connection(),
            upgrades: self.upgrades,
            expects_continue: false,
        })
    }
}

impl Answered {
    pub(super) fn new(status: u16, framing: Framing) -> Answered {
        Answered {
            status,
            headers: Vec::new(),
            framing,
        }
    }

    pub(super) fn header(mut self, (name, value): (&'static str, &str)) -> Answered {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn with<T>(&self, then: impl FnOnce(&Response) -> T) -> T {
        let headers = headers(&self.headers);
        then(&Response {
            status: self.status,
            reason: "OK",
            version: Version::Http11,
            headers: &headers,
            framing: self.framing,
            connection: connection(),
            keep_alive_timeout: None,
        })
    }
}

/// The settings of a backend that recognises clients by session and cookie.
pub(super) fn backend() -> DataplaneHttpBackend {
    DataplaneHttpBackend {
        cookie: Some("SERVERID".to_owned()),
        follows_sessions: true,
        names_sessions: true,
        ..DataplaneHttpBackend::default()
    }
}

/// The routes of a frontend with every kind of path.
pub(super) fn frontend() -> DataplaneRoutes {
    let list = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    DataplaneRoutes {
        paths: Paths {
            mcp: list(&["/mcp"]),
            sse: list(&["/sse"]),
            websocket: list(&["/mcp/ws"]),
            other: list(&["/health"]),
        },
        only: None,
        websocket: "sockets".to_owned(),
        sse: "streams".to_owned(),
    }
}

// Private

/// As if every `Connection` header listed names.
fn connection() -> Connection {
    Connection {
        lists_headers: true,
        ..Connection::default()
    }
}

fn headers<'h>(headers: &'h [(&'static str, String)]) -> Vec<Header<'h>> {
    let header = |(name, value): &'h (&'static str, String)| Header {
        name,
        value: value.as_bytes(),
    };
    headers.iter().map(header).collect()
}
