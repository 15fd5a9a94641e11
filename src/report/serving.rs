//! The addresses of a running cluster, in a few lines.

use super::style;
use crate::api::{NodeState, Status};

/// The listeners that are shown, by their key in the profile.
const WORDS: [(&str, &str); 6] = [
    ("tcp", "MCP over TCP"),
    ("http", "MCP over HTTP"),
    ("https", "MCP over HTTPS"),
    ("websocket", "WebSocket"),
    ("sse", "Event streams"),
    ("stats", "Statistics"),
];

/// The summary of a cluster that was just started; `how` follows the cluster's name.
#[must_use]
pub fn serving(status: &Status, how: &str) -> String {
    let up = status
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Up)
        .count();
    let nodes = format!("{up} of {} nodes up", status.nodes.len());
    let name = style::bold(&status.cluster);
    let Some(balancer) = &status.balancer else {
        return format!("{name} {how}: {nodes}");
    };
    if balancer.pids.is_empty() {
        return format!("{name} {how}: {nodes}, no balancer");
    }
    let endpoints = &balancer.endpoints;
    let lines = WORDS.iter().filter_map(|(key, what)| {
        let address = endpoints.listeners.get(*key)?;
        let path = endpoints.paths.get(*key).map_or("", String::as_str);
        Some(format!("\n  {what:<14} {}", url(key, *address, path)))
    });
    let lines: Vec<String> = lines.collect();
    format!("{name} {how}: {nodes} behind {}{}", balancer.kind, lines.concat())
}

// Private

fn url(key: &str, address: std::net::SocketAddr, path: &str) -> String {
    match key {
        "http" | "sse" => format!("http://{address}{path}"),
        "https" => format!("https://{address}{path}"),
        "websocket" => format!("ws://{address}{path}"),
        "stats" => format!("http://{address}/stats"),
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{busy, plain};
    use super::*;

    #[test]
    fn serving_listeners_are_listed_with_their_addresses() {
        insta::assert_snapshot!(plain(&serving(&busy(), "is running")), @r"
        erlmcp is running: 4 of 4 nodes up behind haproxy
          MCP over TCP   127.0.0.1:8000
          MCP over HTTP  http://127.0.0.1:8080/mcp
        ");
    }
}
