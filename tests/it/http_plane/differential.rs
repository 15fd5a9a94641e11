//! Odd requests through each of the three balancers, in front of a node that records them: what
//! builtin passes on means the same as what HAProxy and nginx pass on, and it refuses what they do
//! not agree about.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::node::Node;
use super::{dechunked, header, with_length};
use crate::harness::{TIMEOUT, TestCluster, eventually};

/// Requests, without the line `X-Case`, which is inserted behind the request line.
const REQUESTS: [(&str, &str); 44] = [
    ("plain", "GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("with a query", "GET /mcp?a=b&c HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "with a length",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    ),
    (
        "with length 0",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "with leading zeros",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc",
    ),
    (
        "in chunks",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    ),
    (
        "in chunks, upper case",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "chunk extension",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "chunk size with zeros",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "trailer",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    ),
    (
        "PUT",
        "PUT /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    ),
    ("DELETE", "DELETE /mcp HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("HTTP/1.0", "GET /mcp HTTP/1.0\r\nHost: a\r\n\r\n"),
    ("HTTP/1.0 without Host", "GET /mcp HTTP/1.0\r\n\r\n"),
    ("absolute form", "GET http://a/mcp HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("empty line before", "\r\nGET /mcp HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "blanks around a value",
        "GET /mcp HTTP/1.1\r\nHost:  \t a \t \r\n\r\n",
    ),
    (
        "two of one header",
        "GET /mcp HTTP/1.1\r\nHost: a\r\nAccept: a\r\nAccept: b\r\n\r\n",
    ),
    // What builtin refuses.
    (
        "two lengths",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ),
    (
        "twice the same length",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    ),
    (
        "length and chunks",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunks and length",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 30\r\n\r\n0\r\n\r\n",
    ),
    (
        "a list of lengths",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    ),
    (
        "a signed length",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    ),
    (
        "a hexadecimal length",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
    ),
    (
        "two codings",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked twice",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "an unknown coding",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a quoted coding",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    ),
    (
        "a vertical tab before a coding",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunks in HTTP/1.0",
        "POST /mcp HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a folded header",
        "GET /mcp HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    ),
    (
        "a folded coding",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a blank before a colon",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    ),
    ("a bare LF", "GET /mcp HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    ("a bare CR", "GET /mcp HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
    ("NUL", "GET /mcp HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    ("no Host", "GET /mcp HTTP/1.1\r\nX: a\r\n\r\n"),
    ("two hosts", "GET /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    (
        "another host in the target",
        "GET http://b/mcp HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    ("a fragment", "GET /mcp#a HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "a chunk size with a sign",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "a chunk size with a prefix",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "a chunk with a bare LF",
        "POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    ),
];

/// The first of them that builtin refuses.
const FIRST_REFUSED: &str = "two lengths";

/// What a node has read: method, path and content.
type Message = (String, String, String);

/// What reaches a node behind `balancer`, by the number of the request.
fn passed_by(balancer: &'static str) -> BTreeMap<usize, Message> {
    let node = Node::answering(with_length(200, "ok"));
    let cluster = TestCluster::behind(balancer)
        .set("nodes.runtime=external")
        .set("nodes.tcp_port=null")
        .set(&format!(
            "nodes.members=[{{name: n, address: '{}', http_port: {}}}]",
            node.address.ip(),
            node.address.port(),
        ))
        .started();
    eventually("the node to be up", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
    for (number, (_, request)) in REQUESTS.iter().enumerate() {
        let (line, rest) = request.split_at(request.find("HTTP/1.").unwrap() + 10);
        let request = format!("{line}X-Case: {number}\r\n{rest}");
        let mut client = TcpStream::connect(cluster.address(8080)).unwrap();
        client.set_read_timeout(Some(TIMEOUT)).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        // The first byte of an answer, or the end of the connection.
        let _answered = client.read(&mut [0]);
        let _gone = client.shutdown(Shutdown::Both);
    }
    node.records()
        .iter()
        .flat_map(|record| messages(&String::from_utf8_lossy(&record.bytes)))
        .collect()
}

/// The messages of one connection, by the number of their case; those of checks have none.
fn messages(mut text: &str) -> Vec<(usize, Message)> {
    let mut messages = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let (content, after) = if let Some(length) = header(head, "content-length") {
            let (content, after) = rest.split_at(length.parse().unwrap());
            (content.to_owned(), after)
        } else if header(head, "transfer-encoding").is_some() {
            dechunked(rest)
        } else {
            (String::new(), rest)
        };
        text = after;
        let mut words = head.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        // An absolute form means the same as a path.
        let path = target.strip_prefix("http://a").unwrap_or(&target).to_owned();
        let message = (method, path, content);
        if let Some(case) = header(head, "x-case") {
            messages.push((case.parse().unwrap(), message));
        }
    }
    messages
}

#[test]
fn builtin_passes_what_the_others_pass_or_nothing() {
    let builtin = passed_by("builtin");
    let peers = [passed_by("haproxy"), passed_by("nginx")];
    let first_refused = REQUESTS
        .iter()
        .position(|(name, _)| *name == FIRST_REFUSED)
        .unwrap();
    for (number, (name, _)) in REQUESTS.iter().enumerate() {
        let passed = builtin.get(&number);
        assert_eq!(passed.is_some(), number < first_refused, "{name}: {passed:?}");
        for peer in &peers {
            if let (Some(ours), Some(theirs)) = (passed, peer.get(&number)) {
                assert_eq!(ours, theirs, "{name}");
            }
        }
    }
}
