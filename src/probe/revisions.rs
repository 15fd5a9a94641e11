//! Which revisions of MCP a node serves.
//!
//! Over HTTP a node is asked by `server/discover`, which revisions without sessions answer with a
//! list, and by `initialize`, which earlier ones answer with the newest that they support. The
//! session that `initialize` makes is deleted at once. Over TCP there is `initialize` alone.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::base::units::excerpt;
use crate::mcp::{DISCOVER, DISCOVER_HEADERS, INITIALIZE, Lines};
use crate::platform;

/// The revision whose transport is an event stream beside `POST`s to another path.
const EVENT_STREAM_REVISION: &str = "2024-11-05";
/// The time limit of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// Paths where MCP servers are often found.
const USUAL_PATHS: [&str; 3] = ["/mcp", "/mcp/", "/"];
/// The usual path of event streams in the oldest revision.
const USUAL_SSE_PATH: &str = "/sse";
/// The header that names a session.
const SESSION: &str = "Mcp-Session-Id";

/// A node, as far as its revisions are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionQuery {
    /// Its address for MCP over TCP.
    pub tcp: Option<SocketAddr>,
    /// Its address for MCP over HTTP, which is asked if there is one.
    pub http: Option<SocketAddr>,
    /// The path of MCP over HTTP.
    pub path: String,
    /// The paths of event streams.
    pub sse_paths: Vec<String>,
    /// The source address of the connections.
    pub source: Option<IpAddr>,
}

/// What is known of a node's revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revisions {
    /// It serves these, oldest first; at least one.
    Served(Vec<String>),
    /// It answers, but not to clients without a token.
    Protected,
    /// It answers, but is not an MCP server at this path; the text describes the answer.
    NotServed(String),
    /// It has not answered.
    Unknown,
}

impl RevisionQuery {
    /// Asks the node.
    pub async fn ask(&self) -> Revisions {
        match (self.http, self.tcp) {
            (Some(http), _) => self.over_http(http).await,
            (None, Some(tcp)) => timeout(REQUEST_TIMEOUT, over_tcp(tcp, self.source))
                .await
                .ok()
                .flatten()
                .map_or(Revisions::Unknown, |revision| Revisions::Served(vec![revision])),
            (None, None) => Revisions::Unknown,
        }
    }

    // Private

    async fn over_http(&self, target: SocketAddr) -> Revisions {
        let source = self.source.filter(|source| source.is_ipv4() == target.is_ipv4());
        let client = Client::builder()
            .no_proxy()
            .local_address(source)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT)
            .build();
        let Ok(client) = client else {
            return Revisions::Unknown;
        };
        let node = HttpNode { client, target };
        let mut served = node.discover(&self.path).await;
        let initialized = node.initialize(&self.path).await;
        if let Some(Initialized::Revision(revision)) = &initialized {
            served.push(revision.clone());
        }
        served.sort();
        served.dedup();
        if !served.is_empty() {
            return Revisions::Served(served);
        }
        match initialized {
            Some(Initialized::Refused(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
                Revisions::Protected
            }
            Some(Initialized::Other(answer)) => {
                for path in self.sse_paths.iter().chain([&self.path]) {
                    if node.streams(path).await {
                        return Revisions::Served(vec![EVENT_STREAM_REVISION.to_owned()]);
                    }
                }
                Revisions::NotServed(node.where_else(&self.path, &answer).await)
            }
            Some(Initialized::Refused(_) | Initialized::Revision(_)) | None => Revisions::Unknown,
        }
    }
}

// Private

async fn over_tcp(target: SocketAddr, source: Option<IpAddr>) -> Option<String> {
    let mut stream = platform::connect::connect(target, source).await.ok()?;
    stream
        .write_all(format!("{INITIALIZE}\n").as_bytes())
        .await
        .ok()?;
    let mut lines = Lines::default();
    let mut total = 0;
    while total <= MAX_ANSWER {
        while let Ok(Some(line)) = lines.next_line() {
            let message: Value = serde_json::from_slice(&line).unwrap_or_default();
            if let Some(revision) = message["result"]["protocolVersion"].as_str() {
                return Some(revision.to_owned());
            }
        }
        match stream.read_buf(&mut lines.room()).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => total += read,
        }
    }
    None
}

/// A node's HTTP port.
struct HttpNode {
    client: Client,
    target: SocketAddr,
}

/// The answer to `initialize`.
enum Initialized {
    /// The revision that the server chose.
    Revision(String),
    /// A status that an MCP server may send to a client that it does not serve.
    Refused(StatusCode),
    /// An answer that no MCP server sends there.
    Other(String),
}

impl HttpNode {
    /// The revisions that the answer to `server/discover` lists.
    async fn discover(&self, path: &str) -> Vec<String> {
        let mut request = self.request(Method::POST, path).body(DISCOVER);
        for (name, value) in DISCOVER_HEADERS {
            request = request.header(name, value);
        }
        let Ok(response) = request.send().await else {
            return Vec::new();
        };
        let message = message_of(response).await.unwrap_or_default();
        // An error lists them, too, if the server does not support the revision of the request.
        let lists = [
            &message["result"]["supportedVersions"],
            &message["error"]["data"]["supported"],
        ];
        let listed = lists.into_iter().filter_map(Value::as_array).flatten();
        listed.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The answer to `initialize`; `None` if there was none. A session is deleted again.
    async fn initialize(&self, path: &str) -> Option<Initialized> {
        let request = self.request(Method::POST, path).body(INITIALIZE);
        let response = request
            .header(CONTENT_TYPE, "application/json")
            .header("Accept", "application/json, text/event-stream")
            .send()
            .await
            .ok()?;
        let status = response.status();
        let location = text_of(response.headers(), LOCATION.as_str());
        let session = text_of(response.headers(), SESSION);
        let message = message_of(response).await;
        if let Some(session) = session {
            let delete = self.request(Method::DELETE, path).header(SESSION, session);
            let _server_may_not_support_it = delete.send().await;
        }
        let is_json_rpc = message
            .as_ref()
            .is_some_and(|message| message["jsonrpc"] == "2.0");
        let revision = message.and_then(|message| {
            let revision = message["result"]["protocolVersion"].as_str()?;
            Some(revision.to_owned())
        });
        let is_refused = is_json_rpc
            || status.is_server_error()
            || [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        Some(match (revision, location) {
            (Some(revision), _) => Initialized::Revision(revision),
            (None, _) if is_refused => Initialized::Refused(status),
            (None, Some(location)) if status.is_redirection() => {
                Initialized::Other(format!("redirected to `{}`", excerpt(&location)))
            }
            _ if status.is_success() => Initialized::Other("answered, but not by an MCP server".to_owned()),
            _ => Initialized::Other(format!("answered with {}", status.as_u16())),
        })
    }

    /// What `path` answered, and at which of the usual paths there is an MCP server.
    async fn where_else(&self, path: &str, answer: &str) -> String {
        let text = format!("`POST {path}` is {answer}");
        for other in USUAL_PATHS.into_iter().filter(|other| *other != path) {
            if matches!(self.initialize(other).await, Some(Initialized::Revision(_))) {
                return format!("{text}; `POST {other}` is answered by an MCP server");
            }
        }
        if self.streams(USUAL_SSE_PATH).await {
            return format!("{text}; `GET {USUAL_SSE_PATH}` is answered with an event stream");
        }
        text
    }

    /// Whether a `GET` of `path` is answered with an event stream.
    async fn streams(&self, path: &str) -> bool {
        let request = self
            .request(Method::GET, path)
            .header("Accept", "text/event-stream");
        let answered = request.send().await;
        answered.is_ok_and(|response| response.status().is_success() && is_event_stream(&response))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.target);
        self.client
            .request(method, url)
            .header("User-Agent", "clusterctl-check")
    }
}

/// The first JSON-RPC message of an answer, as a body or in an event stream.
async fn message_of(mut response: Response) -> Option<Value> {
    let streams = is_event_stream(&response);
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER {
        let chunk = response.chunk().await.ok()?;
        let is_over = chunk.is_none();
        body.extend_from_slice(&chunk.unwrap_or_default());
        let message = if streams {
            first_event(&body)
        } else {
            serde_json::from_slice(&body).ok()
        };
        if message.is_some() || is_over {
            return message;
        }
    }
    None
}

/// The JSON value of the first event that carries one.
fn first_event(stream: &[u8]) -> Option<Value> {
    let data = stream
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"data:"));
    data.filter_map(|text| serde_json::from_slice::<Value>(text).ok())
        .find(Value::is_object)
}

fn is_event_stream(response: &Response) -> bool {
    let kind = text_of(response.headers(), CONTENT_TYPE.as_str());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
