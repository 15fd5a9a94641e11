//! The end of `clusterctl node` by signals.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command};

use nix::sys::signal::Signal;

use crate::harness::{Client, eventually, http_get, signal};
use crate::plane::free_address;

/// A node; it is killed when this is dropped.
struct Node {
    child: Child,
    tcp: SocketAddr,
    http: SocketAddr,
}

impl Node {
    fn start(args: &[&str]) -> Node {
        let (tcp, http) = (free_address(), free_address());
        let child = Command::new(env!("CARGO_BIN_EXE_clusterctl"))
            .args(["node", "--name", "erlmcp1", "--workers", "1"])
            .args(["--tcp", &tcp.to_string(), "--http", &http.to_string()])
            .args(args)
            .spawn()
            .unwrap();
        let node = Node { child, tcp, http };
        eventually("the node serves", || node.client());
        node
    }

    /// A client that is served.
    fn client(&self) -> Option<Client> {
        let mut client = Client::connect(Ipv4Addr::LOCALHOST, self.tcp).ok()?;
        client.node().ok()?;
        Some(client)
    }

    fn is_ready(&self) -> bool {
        http_get(self.http, "/ready").starts_with("HTTP/1.1 200")
    }

    fn signal(&self, signal_kind: Signal) {
        signal(self.child.id(), signal_kind);
    }

    fn ends(&mut self) {
        let status = eventually("the node's end", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn an_announced_end_accepts_clients_until_another_signal() {
    let mut node = Node::start(&["--announce", "1h", "--over", "1h"]);
    eventually("readiness", || node.is_ready().then_some(()));
    let mut held = node.client().unwrap();
    node.signal(Signal::SIGTERM);
    eventually("the announcement", || (!node.is_ready()).then_some(()));
    assert!(http_get(node.http, "/live").starts_with("HTTP/1.1 200"));
    assert!(node.client().is_some());
    held.call("ping", &serde_json::json!({})).unwrap();
    node.signal(Signal::SIGINT);
    held.waits_for_end();
    node.ends();
}

#[test]
fn an_end_that_is_not_announced_closes_every_client() {
    let mut node = Node::start(&["--over", "300ms"]);
    let mut clients: Vec<Client> = (0..3).filter_map(|_| node.client()).collect();
    node.signal(Signal::SIGTERM);
    assert_eq!(clients.len(), 3);
    clients.iter_mut().for_each(Client::waits_for_end);
    node.ends();
}
