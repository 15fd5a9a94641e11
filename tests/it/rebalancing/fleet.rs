//! Clients that hold a connection, and connect again when it ends.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clusterctl::platform::connect::connect;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::harness::eventually;

/// The clients.
#[must_use]
pub struct Fleet {
    seen: Arc<Mutex<Seen>>,
    /// Counts the requests that every second client was ordered to send.
    speak: watch::Sender<u64>,
    count: usize,
    _runtime: Runtime,
}

/// What the clients have seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The node of each client that is connected.
    pub nodes: BTreeMap<usize, String>,
    /// The clients whose connections have ended, and when.
    pub ends: Vec<(usize, Instant)>,
    /// How many answers the clients got on connections that they held.
    pub answers: usize,
}

/// How clients talk to their node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    /// The node is not asked for its name.
    WebSocket,
}

impl Fleet {
    /// So many clients of `target`, each from `source` of its number; all of them are connected.
    pub fn connected(
        target: SocketAddr,
        protocol: Protocol,
        count: usize,
        source: impl Fn(usize) -> Ipv4Addr,
    ) -> Fleet {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let speak = watch::Sender::new(0);
        for number in 0..count {
            let client = Held {
                number,
                source: source(number).into(),
                target,
                protocol,
                seen: Arc::clone(&seen),
                speak: speak.subscribe(),
            };
            runtime.spawn(client.run());
        }
        let fleet = Fleet {
            seen,
            speak,
            count,
            _runtime: runtime,
        };
        fleet.wait_until_connected();
        fleet
    }

    /// Waits until every client is connected.
    pub fn wait_until_connected(&self) {
        eventually("a connection of every client", || {
            (self.seen().nodes.len() == self.count).then_some(())
        });
    }

    /// What the clients have seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Forgets the ends of connections so far.
    pub fn forget_ends(&self) {
        self.seen.lock().unwrap().ends.clear();
    }

    /// Lets the clients with even numbers send a request, and waits for the answers.
    pub fn speak(&self) {
        let before = self.seen().answers;
        self.speak.send_modify(|count| *count += 1);
        eventually("the answers of every second client", || {
            (self.seen().answers >= before + self.count.div_ceil(2)).then_some(())
        });
    }
}

impl Seen {
    /// The most connections that have ended within a second of any of them.
    pub fn most_in_a_second(&self) -> usize {
        let within = |from: Instant| {
            let ends = self.ends.iter();
            ends.filter(|(_, at)| *at >= from && at.duration_since(from) < Duration::from_secs(1))
                .count()
        };
        self.ends.iter().map(|(_, at)| within(*at)).max().unwrap_or(0)
    }
}

/// One client.
struct Held {
    number: usize,
    source: IpAddr,
    target: SocketAddr,
    protocol: Protocol,
    seen: Arc<Mutex<Seen>>,
    speak: watch::Receiver<u64>,
}

impl Held {
    async fn run(mut self) {
        loop {
            // A balancer may refuse clients while a node is dying.
            if self.hold().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Connects, and returns when the connection has ended.
    async fn hold(&mut self) -> std::io::Result<()> {
        let mut stream = BufReader::new(connect(self.target, Some(self.source)).await?);
        let node = match self.protocol {
            Protocol::Tcp => initialize(&mut stream).await?,
            Protocol::WebSocket => upgrade(&mut stream, self.target).await?,
        };
        self.seen.lock().unwrap().nodes.insert(self.number, node);
        let is_speaker = self.number.is_multiple_of(2);
        let mut line = String::new();
        loop {
            line.clear();
            tokio::select! {
                read = stream.read_line(&mut line) => if !matches!(read, Ok(length) if length > 0) {
                    break;
                },
                Ok(()) = self.speak.changed(), if is_speaker => {
                    if ask(&mut stream, "ping", &json!({})).await.is_err() {
                        break;
                    }
                    self.seen.lock().unwrap().answers += 1;
                }
            }
        }
        let mut seen = self.seen.lock().unwrap();
        seen.nodes.remove(&self.number);
        seen.ends.push((self.number, Instant::now()));
        drop(seen);
        Ok(())
    }
}

/// The node's name.
async fn initialize(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
    });
    let answer = ask(stream, "initialize", &params).await?;
    Ok(answer["result"]["serverInfo"]["name"]
        .as_str()
        .unwrap()
        .to_owned())
}

async fn ask(stream: &mut BufReader<TcpStream>, method: &str, params: &Value) -> std::io::Result<Value> {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    stream.write_all(format!("{request}\n").as_bytes()).await?;
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_str(&line).map_err(std::io::Error::other)
}

async fn upgrade(stream: &mut BufReader<TcpStream>, target: SocketAddr) -> std::io::Result<String> {
    let request = format!(
        "GET /mcp/ws HTTP/1.1\r\nHost: {target}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: mcp\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    if head.contains(" 101 ") {
        Ok("unknown".to_owned())
    } else {
        Err(std::io::Error::other(head))
    }
}
