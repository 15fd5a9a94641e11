//! New connections at a steady rate: each is answered once, and closed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::http::Http;
use super::line::Line;
use super::session::{called, whoami};
use super::shared::Shared;
use super::stateless;
use super::websocket::Socket;
use super::{ANSWER_TIMEOUT, source};

/// Time between two groups of new connections.
const TICK: Duration = Duration::from_millis(10);
/// The most connections begun at once, in parts of a second's rate.
const MAX_GROUP_PARTS: u32 = 10;
/// The most clients at work at a time, the held ones included.
const MAX_AT_WORK: usize = 12_000;
/// Addresses of new clients. Each stays far below the limits of one address. The number is prime,
/// so that each address is used by each kind of client, and not by two at the same moment.
const SOURCES: u32 = 251;

/// Opens connections until there is enough.
pub(super) async fn run(shared: Arc<Shared>) {
    let _place = shared.begin();
    let mut ticks = tokio::time::interval(TICK);
    let (mut number, mut since, mut due) = (0, Instant::now(), 0.0);
    while !shared.has_enough() {
        ticks.tick().await;
        due += since.elapsed().as_secs_f64() * f64::from(shared.load.rate);
        since = Instant::now();
        // What a busy machine has missed is not made up for.
        due = due.min(f64::from(shared.load.rate / MAX_GROUP_PARTS + 1));
        if !shared.is_welcome() {
            due = 0.0;
        }
        while due >= 1.0 {
            due -= 1.0;
            if shared.at_work() > MAX_AT_WORK {
                shared.count(|report| report.not_begun += 1);
                continue;
            }
            tokio::spawn(one(Arc::clone(&shared), number));
            number += 1;
        }
    }
}

// Private

/// Of ten, four come over TCP, two over HTTP as before MCP 2026-07-28, two as since, one by a stream,
/// and one by a `WebSocket`.
async fn one(shared: Arc<Shared>, number: u32) {
    let _place = shared.begin();
    let name = match number % 10 {
        0..4 => "tcp",
        4..6 => "http",
        6..8 => "stateless",
        8 => "sse",
        _ => "websocket",
    };
    let source = source(60, number % SOURCES);
    shared.count(|report| *report.new.entry(name).or_default() += 1);
    let visit = tokio::time::timeout(ANSWER_TIMEOUT, visit(&shared, name, source)).await;
    if let Err(failure) = visit.unwrap_or_else(|_| Err(Failure::timed_out())) {
        shared.failed(format!("new {name}"), failure);
    }
}

async fn visit(shared: &Arc<Shared>, name: &'static str, source: IpAddr) -> Result<(), Failure> {
    let began = Instant::now();
    match name {
        "tcp" => {
            let mut line = Line::open(source, shared.targets.tcp).await?;
            let node = line.initialize().await?;
            shared.served(name, source, &node, began);
        }
        "http" => {
            let mut http = Http::new(shared, source, shared.targets.http);
            let whoami = whoami();
            let answer = http.post("/mcp", "", &whoami.to_string()).await?;
            if answer.head.status != 200 {
                return Err(answer.wrong());
            }
            shared.answered(&called(&whoami, &answer)?, began);
        }
        "stateless" => {
            let node = stateless::call(&mut Http::new(shared, source, shared.targets.http)).await?;
            shared.answered(&node, began);
        }
        "sse" => {
            let mut http = Http::new(shared, source, shared.targets.sse);
            let (head, _stream) = http.stream("/mcp/sse", "").await?;
            if head.status != 200 {
                return Err(Failure::wrong(head.first_line()));
            }
            shared.answered("streams", began);
        }
        _ => {
            let mut socket = Socket::open(source, shared.targets.websocket).await?;
            let node = socket.initialize().await?;
            shared.served(name, source, &node, began);
            // The answer is there; how the close goes does not matter.
            let _closed = socket.close().await;
        }
    }
    Ok(())
}
