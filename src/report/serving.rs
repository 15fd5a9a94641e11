//! What serves where, in a few lines.

use super::paint;
use crate::api::{NodeState, Status};

/// What a user who has just started a cluster wants to know; `how` follows the cluster's name.
#[must_use]
pub fn serving(status: &Status, how: &str) -> String {
    let up = status
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Up)
        .count();
    let nodes = format!("{up} of {} nodes up", status.nodes.len());
    let mut text = format!("{} {how}: {nodes}", paint::bold(&status.cluster));
    let Some(balancer) = &status.balancer else {
        return text;
    };
    if balancer.pids.is_empty() {
        text.push_str(", no balancer");
        return text;
    }
    text.push_str(&format!(" behind {}", balancer.kind));
    for (key, what) in [
        ("tcp", "MCP over TCP"),
        ("http", "MCP over HTTP"),
        ("https", "MCP over HTTPS"),
        ("websocket", "WebSocket"),
        ("sse", "Event streams"),
        ("stats", "Statistics"),
    ] {
        if let Some(address) = balancer.endpoints.listeners.get(key) {
            text.push_str(&format!("\n  {what:<14} {}", url(key, *address)));
        }
    }
    text
}

// Private

fn url(key: &str, address: std::net::SocketAddr) -> String {
    match key {
        "http" => format!("http://{address}/mcp"),
        "https" => format!("https://{address}/mcp"),
        "websocket" => format!("ws://{address}/mcp/ws"),
        "sse" => format!("http://{address}/mcp/sse"),
        "stats" => format!("http://{address}/stats"),
        _ => address.to_string(),
    }
}
