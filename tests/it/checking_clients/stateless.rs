//! Calls of MCP 2026-07-28, which has no sessions: any node may answer each of them.

use serde_json::{Value, json};

use super::Held;
use super::failure::{Failure, FaultKind};
use super::http::Http;
use super::line::request;
use super::session::{CALLS_PER_CONNECTION, PATH, called};

const HEADERS: &str = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: whoami\r\n";

/// A client without a session, and without a cookie.
pub(super) struct Stateless {
    http: Http,
    calls: u32,
}

impl Stateless {
    pub(super) const fn new(http: Http) -> Stateless {
        Stateless { http, calls: 0 }
    }
}

impl Held for Stateless {
    const NAME: &'static str = "stateless";

    async fn round(&mut self) -> Result<(), Failure> {
        self.calls += 1;
        if self.calls.is_multiple_of(CALLS_PER_CONNECTION) {
            self.http.close();
        }
        call(&mut self.http).await.map(drop)
    }

    fn reset(&mut self, _: FaultKind) {
        self.http.close();
    }
}

/// Calls the tool that returns the node.
pub(super) async fn call(http: &mut Http) -> Result<String, Failure> {
    let whoami = whoami();
    let answer = http.post(PATH, HEADERS, &whoami.to_string()).await?;
    if answer.head.status != 200 {
        return Err(answer.wrong());
    }
    called(&whoami, &answer)
}

// Private

fn whoami() -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "check", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    request(
        "tools/call",
        &json!({"name": "whoami", "arguments": {}, "_meta": meta}),
    )
}
