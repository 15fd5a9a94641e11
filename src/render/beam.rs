//! `cluster.config`, which gives BEAM nodes their own settings and the names of the other nodes.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::templates::{RenderError, Templates};
use crate::plan::Plan;
use crate::profile::Cluster;

/// Renders the nodes' configuration, a list of Erlang terms for `erl -config`.
///
/// # Errors
/// When a template override cannot be read, parsed or filled.
pub fn cluster_config(cluster: &Cluster, plan: &Plan, templates: &Templates) -> Result<String, RenderError> {
    templates.render("cluster.config.tera", &View::new(cluster, plan))
}

// Private

#[derive(Serialize)]
struct View<'a> {
    cluster: &'a str,
    nodes: Vec<NodeView<'a>>,
    maxconn: u32,
    idle_after: u128,
}

#[derive(Serialize)]
struct NodeView<'a> {
    name: &'a str,
    tcp: Option<String>,
    http: Option<String>,
}

impl<'a> View<'a> {
    fn new(cluster: &'a Cluster, plan: &Plan) -> View<'a> {
        let nodes = cluster.nodes.iter().map(|node| NodeView {
            name: &node.name,
            tcp: node.tcp.map(term),
            http: node.http.map(term),
        });
        View {
            cluster: &cluster.name,
            nodes: nodes.collect(),
            maxconn: plan.nodes.maxconn,
            idle_after: cluster.erlang.idle_after.duration().as_millis(),
        }
    }
}

/// An address and port in Erlang's syntax: `{{127,0,0,1}, 9001}`.
fn term(at: SocketAddr) -> String {
    let parts: Vec<String> = match at.ip() {
        IpAddr::V4(ip) => ip.octets().iter().map(u8::to_string).collect(),
        IpAddr::V6(ip) => ip.segments().iter().map(u16::to_string).collect(),
    };
    format!("{{{{{}}}, {}}}", parts.join(","), at.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_tuples_of_numbers() {
        for (address, written) in [
            ("127.0.0.1:9001", "{{127,0,0,1}, 9001}"),
            ("[::1]:80", "{{0,0,0,0,0,0,0,1}, 80}"),
        ] {
            assert_eq!(term(address.parse().unwrap()), written);
        }
    }
}
