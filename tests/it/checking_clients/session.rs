//! Clients that hold a session of MCP over HTTP, or only a cookie, and check that they stay at
//! their node.

use serde_json::{Value, json};

use super::Held;
use super::failure::{Failure, FaultKind};
use super::http::{Answer, Http};
use super::line::{initialize, node_of, request, result_of};

pub(super) const PATH: &str = "/mcp";
/// Each so many calls, the client comes back on a new connection.
pub(super) const CALLS_PER_CONNECTION: u32 = 3;

/// A client with a session.
pub(super) struct Session {
    pub(super) http: Http,
    /// The header lines that name the session; empty before it begins.
    pub(super) headers: String,
    node: String,
    calls: u32,
}

/// A client without a session, which keeps its cookie.
pub(super) struct Kept {
    http: Http,
    /// The header line with its cookie; empty before it has one.
    cookie: String,
    node: String,
    calls: u32,
}

impl Session {
    pub(super) const fn new(http: Http) -> Session {
        Session {
            http,
            headers: String::new(),
            node: String::new(),
            calls: 0,
        }
    }

    /// Begins the session if there is none. Returns whether it has begun now.
    pub(super) async fn begin(&mut self) -> Result<bool, Failure> {
        if !self.headers.is_empty() {
            return Ok(false);
        }
        let initialize = initialize();
        let answer = self.http.post(PATH, "", &initialize.to_string()).await?;
        let (Some(id), 200) = (answer.head.value("mcp-session-id"), answer.head.status) else {
            return Err(answer.wrong());
        };
        let cookie = answer.cookie().map(|cookie| format!("Cookie: {cookie}\r\n"));
        self.node = node_of(&result_of(&initialize, &answer.body)?)?;
        self.headers = format!("Mcp-Session-Id: {id}\r\n{}", cookie.unwrap_or_default());
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.post(&initialized.to_string()).await?;
        Ok(true)
    }

    /// POSTs a message in the session.
    pub(super) async fn post(&mut self, message: &str) -> Result<Answer, Failure> {
        let answer = self.http.post(PATH, &self.headers, message).await?;
        match answer.head.status {
            200 | 202 => Ok(answer),
            404 => Err(Failure::new(
                FaultKind::MovedSession,
                format!("404 after {}", self.node),
            )),
            _ => Err(answer.wrong()),
        }
    }
}

impl Held for Session {
    const NAME: &'static str = "session";

    async fn round(&mut self) -> Result<(), Failure> {
        if self.begin().await? {
            return Ok(());
        }
        self.calls += 1;
        if self.calls.is_multiple_of(CALLS_PER_CONNECTION) {
            self.http.close();
        }
        let whoami = whoami();
        let answer = self.post(&whoami.to_string()).await?;
        let node = called(&whoami, &answer)?;
        if node == self.node {
            return Ok(());
        }
        Err(Failure::new(
            FaultKind::MovedSession,
            format!("{} -> {node}", self.node),
        ))
    }

    fn reset(&mut self, kind: FaultKind) {
        self.http.close();
        if kind == FaultKind::MovedSession {
            self.headers.clear();
        }
    }
}

impl Kept {
    pub(super) const fn new(http: Http) -> Kept {
        Kept {
            http,
            cookie: String::new(),
            node: String::new(),
            calls: 0,
        }
    }
}

impl Held for Kept {
    const NAME: &'static str = "cookie";

    async fn round(&mut self) -> Result<(), Failure> {
        self.calls += 1;
        if self.calls.is_multiple_of(CALLS_PER_CONNECTION) {
            self.http.close();
        }
        let whoami = whoami();
        let answer = self.http.post(PATH, &self.cookie, &whoami.to_string()).await?;
        if answer.head.status != 200 {
            return Err(answer.wrong());
        }
        let had_cookie = !self.cookie.is_empty();
        if let Some(cookie) = answer.cookie() {
            self.cookie = format!("Cookie: {cookie}\r\n");
        }
        let former = std::mem::replace(&mut self.node, called(&whoami, &answer)?);
        if had_cookie && former != self.node {
            let detail = format!("{former} -> {}", self.node);
            return Err(Failure::new(FaultKind::MovedCookie, detail));
        }
        Ok(())
    }

    fn reset(&mut self, _: FaultKind) {
        self.http.close();
    }
}

/// The call of the tool that returns the node.
pub(super) fn whoami() -> Value {
    request("tools/call", &json!({"name": "whoami", "arguments": {}}))
}

/// The node in the answer to a call of [`whoami`].
pub(super) fn called(whoami: &Value, answer: &Answer) -> Result<String, Failure> {
    let result = result_of(whoami, &answer.body)?;
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    let called: Option<Value> = serde_json::from_str(text).ok();
    let node = called.as_ref().and_then(|called| called["node"].as_str());
    node.map(str::to_owned).ok_or_else(|| answer.wrong())
}
