//! A node on real sockets.

mod ending;
mod events;
mod faults;
mod http;
mod sse;
mod stateless;
mod streamable;
mod tcp;
mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Node, NodeError, Settings};
use crate::base::shutdown::Shutdown;

/// Longer than any step takes unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// A node that serves on free ports until it is shut down.
#[must_use]
struct Running {
    tcp: SocketAddr,
    http: SocketAddr,
    end: CancellationToken,
    at_once: CancellationToken,
    served: JoinHandle<Result<(), NodeError>>,
}

impl Running {
    fn start() -> Running {
        Running::start_with(|_| {})
    }

    fn start_with(change: impl FnOnce(&mut Settings)) -> Running {
        let any_port = Some("127.0.0.1:0".parse().unwrap());
        let mut settings = Settings::new("erlmcp1", any_port);
        settings.http = any_port;
        settings.workers = 2;
        change(&mut settings);
        let node = Node::bind(settings).unwrap();
        let shutdown = Shutdown::default();
        Running {
            tcp: node.tcp().unwrap(),
            http: node.http().unwrap(),
            served: tokio::spawn(node.serve(shutdown.clone())),
            end: shutdown.begun,
            at_once: shutdown.at_once,
        }
    }

    async fn connect(&self) -> Client {
        Client(BufReader::new(connect(self.tcp).await))
    }

    /// A client that has a place, once one is free.
    async fn welcome(&self) -> Client {
        let welcome = async {
            loop {
                let mut client = self.connect().await;
                client.send_message(&request("p", "ping", json!({}))).await;
                // A refusal may also be seen as a reset.
                if client.line().await.is_some_and(|line| line["id"] == "p") {
                    return client;
                }
            }
        };
        tokio::time::timeout(DEADLINE, welcome).await.unwrap()
    }

    async fn stop(self) {
        self.end.cancel();
        tokio::time::timeout(DEADLINE, self.served)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

/// A client on one TCP connection.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn send_message(&mut self, message: &Value) {
        self.send(&line(message)).await;
    }

    /// The next line; `None` at the end.
    async fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = tokio::time::timeout(DEADLINE, self.0.read_line(&mut line))
            .await
            .unwrap()
            // A connection that is closed with unread input is reset.
            .unwrap_or(0);
        (read > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    async fn ask(&mut self, message: &Value) -> Value {
        self.send_message(message).await;
        self.line().await.unwrap()
    }

    async fn ping(&mut self) {
        let answer = self.ask(&request("p", "ping", json!({}))).await;
        assert_eq!(answer, json!({"jsonrpc": "2.0", "id": "p", "result": {}}));
    }
}

/// A worker may not listen yet.
async fn connect(address: SocketAddr) -> TcpStream {
    let connected = async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(DEADLINE, connected).await.unwrap()
}

fn line(message: &Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    request(id, "tools/call", json!({"name": tool, "arguments": arguments}))
}

#[tokio::test]
async fn two_nodes_do_not_share_an_address() {
    let node = Running::start();
    let error = Node::bind(Settings::new("erlmcp2", Some(node.tcp))).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot bind {}: ", node.tcp)),
        "{error}"
    );
    node.stop().await;
}
