//! A whole exchange in one direction: what arrives, how it is written again, and what two other
//! readers make of that.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is answered with this status, and nothing is forwarded.
    Refused(u16),
    /// Its head is forwarded; then its body turns out to be invalid, and both connections end.
    Cut,
    /// It is forwarded, but its body does not end.
    Truncated,
    /// It is forwarded with this content, and these bytes behind it are the next request.
    Forwarded { content: String, rest: String },
}

/// A message as one reader understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) method: String,
    pub(super) target: String,
    /// Names in lower case, without those about framing and the connection.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) content: Vec<u8>,
}

/// Headers that the forwarding part replaces.
const FRAMING: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// The outcome of a request, and for a forwarded one what it says and the bytes for the node.
pub(super) fn forward(input: &[u8]) -> (Outcome, Option<(Message, Vec<u8>)>) {
    let (request, length) = match super::request(input) {
        Ok(request) => request,
        Err(rejection) => return (Outcome::Refused(rejection.status()), None),
    };
    let once = read_body(request.framing, &input[length..], []);
    let bytewise = read_body(
        request.framing,
        &input[length..],
        std::iter::repeat_n(1, input.len()),
    );
    assert_eq!(once, bytewise);
    let (content, trailers, body) = match once {
        Ok(Some(body)) => body,
        Ok(None) => return (Outcome::Truncated, None),
        Err(_) => return (Outcome::Cut, None),
    };
    let message = Message {
        method: request.method.to_owned(),
        target: request.target.to_owned(),
        headers: other_headers(request.headers.iter().map(|header| (header.name, header.value))),
        content: content.clone(),
    };
    let outcome = Outcome::Forwarded {
        content: String::from_utf8_lossy(&content).into_owned(),
        rest: String::from_utf8_lossy(&input[length + body..]).into_owned(),
    };
    let bytes = written_again(&request, &content, &trailers);
    (outcome, Some((message, bytes)))
}

/// The messages that a plain reader sees, which knows nothing but what [`written_again`] writes.
pub(super) fn plain_reader(mut bytes: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a head");
        let head = &bytes[..end];
        bytes = &bytes[end + 4..];
        let mut lines = head
            .split(|byte| *byte == b'\r')
            .map(|line| line.strip_prefix(b"\n").unwrap_or(line));
        let first = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
        let [method, target, "HTTP/1.1"] = first.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{first}");
        };
        let headers: Vec<(String, Vec<u8>)> = lines
            .map(|line| {
                let colon = line.iter().position(|byte| *byte == b':').expect("a header");
                let name = String::from_utf8(line[..colon].to_vec()).unwrap();
                assert!(!line[0].is_ascii_whitespace() && !name.contains(['\n', ' ', '\t']));
                (name, line[colon + 1..].trim_ascii().to_vec())
            })
            .collect();
        let content = plain_content(&headers, &mut bytes);
        messages.push(Message {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: other_headers(headers.iter().map(|(name, value)| (&name[..], &value[..]))),
            content,
        });
    }
    messages
}

/// The messages that hyper's server sees.
pub(super) async fn hyper_reader(bytes: &[u8]) -> Vec<Message> {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let messages = Arc::clone(&seen);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let content = body.collect().await.map(|body| body.to_bytes().to_vec());
            let headers = head
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()));
            let message = Message {
                method: head.method.to_string(),
                target: head.uri.to_string(),
                headers: other_headers(headers),
                content: content.expect("a whole body"),
            };
            seen.lock().unwrap().push(message);
            Ok::<_, Infallible>(hyper::Response::new(Empty::<Bytes>::new()))
        }
    });
    let connection = http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(server), service);
    let sent = async {
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).await.unwrap();
        String::from_utf8_lossy(&answers).into_owned()
    };
    let (result, answers) = tokio::join!(connection, sent);
    assert!(result.is_ok(), "{result:?}");
    assert!(!answers.contains("HTTP/1.1 4"), "{answers}");
    messages.lock().unwrap().clone()
}

// Private

/// The request as a node gets it: the same head but for its framing, and its body framed again.
fn written_again(request: &Request, content: &[u8], trailers: &[u8]) -> Vec<u8> {
    let mut out = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    for header in request.headers {
        if !FRAMING.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
            out.extend_from_slice(header.name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(header.value);
            out.extend_from_slice(b"\r\n");
        }
    }
    match request.framing {
        Framing::Empty => out.extend_from_slice(b"\r\n"),
        Framing::Length(length) => {
            out.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            out.extend_from_slice(content);
        }
        Framing::Chunked => {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            content.chunks(7).for_each(|chunk| write_chunk(chunk, &mut out));
            write_last_chunk(trailers, &mut out);
        }
        Framing::UntilClose => panic!("a request cannot last until the connection ends"),
    }
    out
}

fn other_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<(String, Vec<u8>)> {
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()))
        .filter(|(name, _)| !FRAMING.contains(&&name[..]))
        .collect();
    // hyper groups headers of one name.
    headers.sort_by(|one, other| one.0.cmp(&other.0));
    headers
}

/// The content of a message, whose bytes are taken from the start of `bytes`.
fn plain_content(headers: &[(String, Vec<u8>)], bytes: &mut &[u8]) -> Vec<u8> {
    let values = |wanted: &str| {
        let found = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| &value[..]).collect::<Vec<_>>()
    };
    match (&values("Content-Length")[..], &values("Transfer-Encoding")[..]) {
        ([], []) => Vec::new(),
        ([length], []) => {
            let length = std::str::from_utf8(length).unwrap().parse().unwrap();
            take(bytes, length).to_vec()
        }
        ([], [coding]) => {
            assert_eq!(coding, b"chunked");
            let mut content = Vec::new();
            loop {
                let size = usize::from_str_radix(line(bytes), 16).expect("a size");
                if size == 0 {
                    while !line(bytes).is_empty() {}
                    return content;
                }
                content.extend_from_slice(take(bytes, size));
                assert_eq!(line(bytes), "");
            }
        }
        framing => panic!("{framing:?}"),
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

fn line<'a>(bytes: &mut &'a [u8]) -> &'a str {
    let end = bytes.windows(2).position(|two| two == b"\r\n").expect("a line");
    let line = take(bytes, end + 2);
    std::str::from_utf8(&line[..end]).unwrap()
}
