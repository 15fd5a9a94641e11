//! A connection of MCP over TCP: a message in each line.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use clusterctl::platform::connect::connect;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::failure::Failure;

/// The id of the next request.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A connection.
pub(super) struct Line {
    stream: BufReader<TcpStream>,
    was_answered: bool,
}

impl Line {
    pub(super) async fn open(source: IpAddr, target: SocketAddr) -> Result<Line, Failure> {
        let stream = connect(target, Some(source)).await;
        Ok(Line {
            stream: BufReader::new(stream.map_err(|error| Failure::of(&error, false))?),
            was_answered: false,
        })
    }

    /// Begins the conversation; the name of the node.
    pub(super) async fn initialize(&mut self) -> Result<String, Failure> {
        let result = self.ask(&initialize()).await?;
        node_of(&result)
    }

    /// The result of a request.
    pub(super) async fn ask(&mut self, request: &Value) -> Result<Value, Failure> {
        let answer = self.exchange(request).await;
        let line = answer.map_err(|error| Failure::of(&error, self.was_answered))?;
        let result = result_of(request, &line)?;
        self.was_answered = true;
        Ok(result)
    }

    /// Waits until the connection ends.
    pub(super) async fn ended(&mut self) {
        if self.stream.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty()) {
            // What is not asked for is a wrong answer to the next request.
            std::future::pending::<()>().await;
        }
    }

    // Private

    async fn exchange(&mut self, request: &Value) -> io::Result<String> {
        self.stream.write_all(format!("{request}\n").as_bytes()).await?;
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }
}

/// The request that begins a conversation.
pub(super) fn initialize() -> Value {
    request(
        "initialize",
        &json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "check", "version": "1"}
        }),
    )
}

/// A request, with an id that no other request has.
pub(super) fn request(method: &str, params: &Value) -> Value {
    let id = NEXT_ID.fetch_add(1, Relaxed);
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// The result in the answer to `request`.
pub(super) fn result_of(request: &Value, text: &str) -> Result<Value, Failure> {
    let short = || text.chars().take(200).collect::<String>();
    let mut answer: Value = serde_json::from_str(text).map_err(|_| Failure::wrong(short()))?;
    if answer["id"] != request["id"] {
        let id = &request["id"];
        return Err(Failure::wrong(format!(
            "not the answer to request {id}: {}",
            short()
        )));
    }
    match answer["result"].take() {
        Value::Null => Err(Failure::wrong(short())),
        result => Ok(result),
    }
}

/// The node in the answer to `initialize`.
pub(super) fn node_of(result: &Value) -> Result<String, Failure> {
    let name = result["serverInfo"]["name"].as_str();
    name.map(str::to_owned)
        .ok_or_else(|| Failure::wrong(format!("no server in {result}")))
}
