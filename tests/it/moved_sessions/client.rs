//! MCP clients over HTTP that call again and again, and note what goes wrong.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::checking_clients::head::Head;

/// Longer than a request waits for a stopped node.
const TIMEOUT: Duration = Duration::from_secs(40);

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Calls in a session of MCP 2025-11-25.
    Session,
    /// Calls without a session, of MCP 2026-07-28.
    Stateless,
    /// Holds the event stream of a session.
    Stream,
}

/// What went wrong for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The node does not know the session, which was on another one: 404.
    Moved,
    /// A request has failed in another way.
    Failed(String),
    /// An event stream has ended.
    Cut,
}

/// A client's trouble.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) client: usize,
    pub(super) trouble: Trouble,
    /// The node of the session; the node of the last answer without sessions.
    pub(super) node: String,
}

/// What a client shows to the test.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) kind: Kind,
    /// Calls that were answered, or looks at an open stream.
    pub(super) rounds: AtomicU64,
    /// The node of its session.
    pub(super) node: Mutex<String>,
}

/// State shared by all clients and the test.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: SocketAddr,
    /// The time between two calls of a client.
    pub(super) pause: Duration,
    pub(super) clients: Vec<Shown>,
    pub(super) events: Mutex<Vec<Event>>,
    pub(super) enough: AtomicBool,
}

/// One client.
pub(super) struct Client {
    number: usize,
    shared: &'static Shared,
    connection: Option<BufReader<TcpStream>>,
    /// The id of its session.
    session: Option<String>,
}

impl Client {
    pub(super) fn new(number: usize, shared: &'static Shared) -> Client {
        Client {
            number,
            shared,
            connection: None,
            session: None,
        }
    }

    /// Calls until the test has enough.
    pub(super) async fn run(mut self) {
        // Clients do not all call at the same moment.
        let count = self.shared.clients.len();
        let offset = self.shared.pause * u32::try_from(self.number).unwrap() / u32::try_from(count).unwrap();
        tokio::time::sleep(offset).await;
        while !self.shared.enough.load(SeqCst) {
            match tokio::time::timeout(TIMEOUT, self.round()).await {
                Ok(Ok(None)) => {
                    self.shown().rounds.fetch_add(1, SeqCst);
                }
                Ok(Ok(Some(trouble))) => self.fails(trouble),
                Ok(Err(error)) => self.fails(Trouble::Failed(error.to_string())),
                Err(_) => self.fails(Trouble::Failed("no answer".to_owned())),
            }
            tokio::time::sleep(self.shared.pause).await;
        }
    }

    // Private

    fn shown(&self) -> &'static Shown {
        &self.shared.clients[self.number]
    }

    /// Notes what went wrong. The next round begins on a new connection, and after a 404 in a new
    /// session.
    fn fails(&mut self, trouble: Trouble) {
        let node = self.shown().node.lock().unwrap().clone();
        self.connection = None;
        if !matches!(trouble, Trouble::Failed(_)) {
            self.session = None;
        }
        self.shared.events.lock().unwrap().push(Event {
            client: self.number,
            trouble,
            node,
        });
    }

    async fn round(&mut self) -> io::Result<Option<Trouble>> {
        match self.shown().kind {
            Kind::Stateless => self.discover().await,
            Kind::Session | Kind::Stream if self.session.is_none() => self.begin().await,
            Kind::Session => self.call().await,
            Kind::Stream if self.connection.is_none() => self.open_stream().await,
            Kind::Stream => self.look_at_stream().await,
        }
    }

    async fn begin(&mut self) -> io::Result<Option<Trouble>> {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
        });
        let (head, body) = self.post("", "initialize", &params).await?;
        if head.status != 200 {
            return Ok(Some(failed(&head)));
        }
        self.is_served_by(&body["result"]["serverInfo"]["name"]);
        self.session = head.value("mcp-session-id").map(str::to_owned);
        if self.shown().kind == Kind::Stream {
            // The stream gets a connection of its own.
            self.connection = None;
        }
        Ok(None)
    }

    async fn call(&mut self) -> io::Result<Option<Trouble>> {
        let session = format!("Mcp-Session-Id: {}\r\n", self.session.as_deref().unwrap());
        let params = json!({"name": "whoami", "arguments": {}});
        let (head, _) = self.post(&session, "tools/call", &params).await?;
        Ok(trouble(&head))
    }

    async fn discover(&mut self) -> io::Result<Option<Trouble>> {
        let revision = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: whoami\r\n";
        let params = json!({
            "name": "whoami", "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        });
        let (head, _) = self.post(revision, "tools/call", &params).await?;
        Ok((head.status != 200).then(|| failed(&head)))
    }

    async fn open_stream(&mut self) -> io::Result<Option<Trouble>> {
        let session = self.session.clone().unwrap();
        let connection = self.connected().await?;
        let request = format!(
            "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: {session}\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await?;
        let head = Head::read(connection).await?;
        Ok(trouble(&head))
    }

    /// Whether the stream is still open; its keep-alives are dropped.
    async fn look_at_stream(&mut self) -> io::Result<Option<Trouble>> {
        let connection = self.connection.as_mut().unwrap();
        let mut bytes = [0; 4096];
        // Ends at once: only what has arrived is read.
        let read = tokio::time::timeout(Duration::from_millis(1), connection.read(&mut bytes)).await;
        Ok(match read {
            Err(_) => None,
            Ok(Ok(read)) if read > 0 && !bytes[..read].ends_with(b"0\r\n\r\n") => None,
            Ok(_) => Some(Trouble::Cut),
        })
    }

    fn is_served_by(&self, node: &Value) {
        node.as_str()
            .unwrap()
            .clone_into(&mut self.shown().node.lock().unwrap());
    }

    async fn connected(&mut self) -> io::Result<&mut BufReader<TcpStream>> {
        if self.connection.is_none() {
            self.connection = Some(BufReader::new(TcpStream::connect(self.shared.address).await?));
        }
        Ok(self.connection.as_mut().unwrap())
    }

    /// Sends a request, on the connection of the last one if it is open; the answer.
    async fn post(&mut self, headers: &str, method: &str, params: &Value) -> io::Result<(Head, Value)> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        let connection = self.connected().await?;
        connection.write_all(request.as_bytes()).await?;
        let head = Head::read(connection).await?;
        let length = head
            .value("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await?;
        if head.value("connection") == Some("close") {
            self.connection = None;
        }
        Ok((head, serde_json::from_slice(&body)?))
    }
}

// Private

/// The trouble that an answer shows.
fn trouble(head: &Head) -> Option<Trouble> {
    match head.status {
        200 => None,
        404 => Some(Trouble::Moved),
        _ => Some(failed(head)),
    }
}

fn failed(head: &Head) -> Trouble {
    Trouble::Failed(head.first_line().to_owned())
}
