//! Every page and the node's HTTP answer new clients beside thousands of connections that are held
//! open: without a request, with half of one, after an answer, or with an answer that is never read.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use clusterctl::platform::descriptors::raise_limit;

use crate::harness::{TIMEOUT, TestCluster, connect_from, eventually, http_get};

const HELD: u32 = 3_000;
/// What the held connections have sent.
const KINDS: [&str; 4] = [
    "",
    "GET /health HTTP/1.1\r\nHost: x\r\n",
    "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
];

/// Opens connections to `server` that send `text` and nothing else, from several addresses. Some are
/// closed by the server before the last one is open.
fn hold(server: SocketAddr, text: &str) -> Vec<TcpStream> {
    let open = |number: u32| {
        let source = Ipv4Addr::from(0x7f0c_0001 + number / 100);
        let mut stream = connect_from(source.into(), server).unwrap();
        let _closed = stream.write_all(text.as_bytes());
        stream
    };
    (0..HELD).map(open).collect()
}

#[test]
fn every_page_answers_beside_idle_connections() {
    raise_limit().unwrap();
    let cluster = TestCluster::behind("builtin").started();
    let pages = [
        (8404, "/stats"),
        (8404, "/metrics"),
        (8888, "/health"),
        (8405, "/metrics"),
    ];
    for port in [8404, 8888, 8405] {
        for text in KINDS {
            let held = hold(cluster.address(port), text);
            for (port, path) in pages {
                for _ in 0..5 {
                    let answer = http_get(cluster.address(port), path);
                    assert!(answer.starts_with("HTTP/1.1 200"), "{port}{path}: {answer}");
                }
            }
            drop(held);
        }
    }
}

/// A node alone, with few connections.
struct Node {
    child: Child,
    address: SocketAddr,
}

impl Node {
    fn start(max_connections: u32) -> Node {
        let address = crate::plane::free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_clusterctl"))
            .args(["node", "--name", "erlmcp1", "--workers", "2"])
            .args(["--http", &address.to_string()])
            .args(["--max-connections", &max_connections.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let node = Node { child, address };
        eventually("the node to listen", || TcpStream::connect(address).ok());
        node
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A stream of events, whose first event has come.
fn event_stream(node: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(node).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
        .write_all(b"GET /mcp/sse HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        .unwrap();
    let mut begun = Vec::new();
    while !String::from_utf8_lossy(&begun).contains("event: endpoint") {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0);
        begun.extend_from_slice(&piece[..read]);
    }
    stream
}

#[test]
fn a_node_answers_beside_idle_connections_and_cuts_no_stream() {
    raise_limit().unwrap();
    let node = Node::start(500);
    let mut events: Vec<TcpStream> = (0..20).map(|_| event_stream(node.address)).collect();
    for text in KINDS {
        let held = hold(node.address, text);
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for _ in 0..20 {
            let mut stream = TcpStream::connect(node.address).unwrap();
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            write!(
                stream,
                "POST /mcp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{ping}",
                ping.len()
            )
            .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        drop(held);
    }
    for stream in &mut events {
        // At the latest, the next keep-alive.
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0, "a stream was cut");
    }
}
