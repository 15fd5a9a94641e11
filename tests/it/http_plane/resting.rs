//! What waits costs no processor time.

use crate::harness::eventually;

use super::node::Node;
use super::{Raw, plane_with, with_length};

/// A node that does by path what keeps the data plane waiting.
fn node() -> Node {
    let large = with_length(200, &"x".repeat(20_000_000));
    Node::serving(move |_, connection| {
        while let Some(head) = connection.head() {
            match head.split(' ').nth(1).unwrap() {
                "/mcp/large" => connection.send(&large),
                "/mcp/stream" => {
                    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                    return connection.drain();
                }
                "/mcp/tunnel" => {
                    connection.send(
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                    );
                    return connection.drain();
                }
                "/mcp/early" => {
                    connection.send(with_length(403, "no"));
                    return connection.drain();
                }
                "/mcp/never" => connection.waits_for_release(),
                _ => connection.send(with_length(200, "ok")),
            }
        }
    })
}

#[test]
fn a_plane_whose_clients_all_wait_does_nothing() {
    let node = node();
    let plane = plane_with(&[&node], |config| config.backends[0].servers[0].maxconn = 40);
    let request = |path: &str, more: &str| format!("POST /mcp/{path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let upgrade = "GET /mcp/tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let upload = "x".repeat(20_000_000);
    let waiting = [
        // Nothing, and half a head.
        String::new(),
        "GET /mcp HTTP/1.1\r\nHo".to_owned(),
        // An answered request, and the half of another one.
        request("", "") + "GET /mcp",
        // A body that is not complete, also in its chunks and its trailers.
        request("never", "Content-Length: 9\r\n") + "abc",
        request("never", chunked) + "3\r\nab",
        request("never", chunked) + "3\r\nabc\r\n0\r\nX-Su",
        // An answer that does not come, and what the client has sent meanwhile.
        request("never", "") + &"GET /mcp HTTP/1.1\r\n".repeat(100),
        // Streams.
        request("stream", ""),
        upgrade.to_owned(),
        // A client that does not read.
        request("large", ""),
        // An answer before the end of its request, an answer of the data plane itself.
        request("early", "Content-Length: 9\r\n"),
        "nonsense\r\n\r\n".to_owned(),
    ];
    let mut clients = Vec::new();
    for bytes in &waiting {
        let mut client = Raw::connect(&plane);
        client.send(bytes);
        clients.push(client);
    }
    // A node that does not read.
    let mut uploading = Raw::connect(&plane);
    let upload = request("never", "Content-Length: 20000000\r\n") + &upload;
    let uploader = std::thread::spawn(move || uploading.send_some(&upload));
    plane.waits_for("node1", "scur", 8);
    plane.rests();
    // Others are served.
    assert_eq!(Raw::connect(&plane).get().body, "ok");
    drop(clients);
    drop(node);
    drop(plane);
    let _stuck = uploader.join();
}

#[test]
fn memory_of_clients_that_have_left_goes_back() {
    let node = Node::answering(with_length(200, "ok"));
    let plane = plane_with(&[&node], |_| {});
    assert_eq!(Raw::connect(&plane).get().body, "ok");
    let before = plane.memory();
    let half = format!("GET /mcp HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(30_000));
    let mut clients: Vec<Raw> = (0..600).map(|_| Raw::connect(&plane)).collect();
    for client in &mut clients {
        client.send(&half);
    }
    let held = eventually("the heads are held", || {
        let now = plane.memory();
        (now > before + 15_000_000).then_some(now)
    });
    drop(clients);
    eventually("the memory is returned", || {
        (plane.memory() < before + (held - before) / 4).then_some(())
    });
}
