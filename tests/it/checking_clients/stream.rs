//! Clients that hold a stream of events.

use std::io;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::TcpStream;

use super::Held;
use super::failure::{Failure, FaultKind};
use super::http::Http;
use super::line::request;
use super::session::Session;

/// How long a look at a stream takes: only what has arrived is read.
const LOOK: Duration = Duration::from_millis(1);

/// A client with the event stream of a session. A notice that it asks for has to arrive there.
pub(super) struct Stream {
    session: Session,
    events: Option<EventStream>,
    notices: u32,
}

/// A client of the older HTTP with SSE: answers arrive on its stream.
pub(super) struct Events {
    http: Http,
    stream: Option<EventStream>,
    endpoint: String,
    pings: u32,
}

/// An open stream of events.
struct EventStream {
    connection: BufReader<TcpStream>,
    /// What was received, with the chunks' own lines.
    received: String,
}

impl Stream {
    pub(super) const fn new(session: Session) -> Stream {
        Stream {
            session,
            events: None,
            notices: 0,
        }
    }
}

impl Held for Stream {
    const NAME: &'static str = "stream";

    async fn round(&mut self) -> Result<(), Failure> {
        if self.session.begin().await? {
            return Ok(());
        }
        let Some(stream) = &mut self.events else {
            let headers = self.session.headers.clone();
            let (head, connection) = self.session.http.beside().stream("/mcp", &headers).await?;
            self.events = match head.status {
                200 => Some(EventStream::new(connection)),
                404 => return Err(Failure::new(FaultKind::MovedSession, "404 for its stream")),
                _ => return Err(Failure::wrong(head.first_line())),
            };
            return Ok(());
        };
        stream.look().await?;
        self.notices += 1;
        let message = format!("notice-{}-", self.notices);
        let notify = json!({"name": "notify", "arguments": {"message": message}});
        self.session
            .post(&request("tools/call", &notify).to_string())
            .await?;
        stream.receive(&message).await
    }

    fn reset(&mut self, kind: FaultKind) {
        self.session.reset(kind);
        self.events = None;
    }
}

impl Events {
    pub(super) const fn new(http: Http) -> Events {
        Events {
            http,
            stream: None,
            endpoint: String::new(),
            pings: 0,
        }
    }
}

impl Held for Events {
    const NAME: &'static str = "sse";

    async fn round(&mut self) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else {
            let (head, connection) = self.http.stream("/mcp/sse", "").await?;
            if head.status != 200 {
                return Err(Failure::wrong(head.first_line()));
            }
            let mut stream = EventStream::new(connection);
            self.endpoint = stream.endpoint().await?;
            self.stream = Some(stream);
            return Ok(());
        };
        stream.look().await?;
        self.pings += 1;
        let ping = json!({"jsonrpc": "2.0", "id": format!("ping-{}-", self.pings), "method": "ping"});
        let answer = self.http.post(&self.endpoint, "", &ping.to_string()).await?;
        match answer.head.status {
            202 => stream.receive(&format!("ping-{}-", self.pings)).await,
            // Its messages go by its address, as nothing else names its node.
            404 => Err(Failure::new(
                FaultKind::MovedAddress,
                "404 for a message beside its stream",
            )),
            _ => Err(answer.wrong()),
        }
    }

    fn reset(&mut self, _: FaultKind) {
        self.http.close();
        self.stream = None;
    }
}

impl EventStream {
    const fn new(connection: BufReader<TcpStream>) -> EventStream {
        EventStream {
            connection,
            received: String::new(),
        }
    }

    /// Checks that the stream is open, and drops what has arrived.
    async fn look(&mut self) -> Result<(), Failure> {
        self.received.clear();
        while let Ok(read) = tokio::time::timeout(LOOK, self.read()).await {
            read?;
        }
        Ok(())
    }

    /// Waits for an event with these words.
    async fn receive(&mut self, words: &str) -> Result<(), Failure> {
        while !self.received.contains(words) {
            self.read().await?;
        }
        Ok(())
    }

    /// Waits for the first event of the older transport: the path for messages.
    async fn endpoint(&mut self) -> Result<String, Failure> {
        loop {
            let line = self
                .received
                .split_once("data: ")
                .or(self.received.split_once("data:"));
            if let Some((path, _)) = line.and_then(|(_, rest)| rest.split_once('\n')) {
                return Ok(path.trim().to_owned());
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let mut bytes = [0; 4096];
        let read = self.connection.read(&mut bytes).await;
        let read = read.map_err(|error| Failure::of(&error, true))?;
        self.received.push_str(&String::from_utf8_lossy(&bytes[..read]));
        if read == 0 || self.received.ends_with("\r\n0\r\n\r\n") {
            return Err(Failure::of(&io::ErrorKind::UnexpectedEof.into(), true));
        }
        Ok(())
    }
}
