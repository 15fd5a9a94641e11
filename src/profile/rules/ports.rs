//! Ports must be valid, and used only once.

use std::collections::{BTreeMap, BTreeSet};

use crate::profile::endpoints::{Endpoint, endpoints};
use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;

/// Port 0 is not a port to listen on.
pub(super) fn zero(written: &ParsedProfile) -> Vec<Problem> {
    once_per_path(endpoints(&written.document, 0), |endpoint| endpoint.port == 0)
        .into_iter()
        .map(|Endpoint { path, .. }| {
            let hint = if path.starts_with("listen.") {
                "ports are 1 to 65535; `null` leaves a listener out"
            } else {
                "ports are 1 to 65535"
            };
            written
                .problem(&path, format!("`{path}` cannot be port 0"))
                .hint(hint)
        })
        .collect()
}

/// No port exceeds 65535, neither by counting up nor by the offset.
pub(super) fn range(written: &ParsedProfile) -> Vec<Problem> {
    let offset = written.port_offset;
    let too_large = |endpoint: &Endpoint| endpoint.port > u32::from(u16::MAX);
    once_per_path(endpoints(&written.document, offset), too_large)
        .into_iter()
        .map(
            |Endpoint {
                 path, title, port, ..
             }| {
                let message = format!("{title} would listen on port {port}, beyond 65535");
                let lower = match written.document.nodes.members.as_slice() {
                    [] => "`nodes.count`",
                    _ => "the node's number, `n`",
                };
                written.problem(&path, message).hint(match offset {
                    0 => format!("lower `{path}` or {lower}"),
                    _ => format!("`--port-offset {offset}` is added to every port; choose a smaller one"),
                })
            },
        )
        .collect()
}

/// No two listeners have the same port of the same address. A listener that collides with several
/// others is reported with the first of them.
pub(super) fn collisions(written: &ParsedProfile) -> Vec<Problem> {
    let mut by_port: BTreeMap<u32, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints(&written.document, written.port_offset) {
        by_port.entry(endpoint.port).or_default().push(endpoint);
    }
    by_port.remove(&0);
    let mut reported = BTreeSet::new();
    let mut problems = Vec::new();
    for endpoints in by_port.values() {
        for (index, a) in endpoints.iter().enumerate() {
            let earlier = endpoints[..index].iter();
            let Some(b) = earlier.into_iter().find(|b| a.meets(b) && a.path != b.path) else {
                continue;
            };
            // One cause is reported once, though it can occur at every node.
            if reported.insert((&a.path, &b.path)) {
                problems.push(collision(written, a, b));
            }
        }
    }
    problems
}

/// At least one listener is needed.
pub(super) fn something(written: &ParsedProfile) -> Vec<Problem> {
    let document = &written.document;
    let listen = &document.listen;
    let http = [listen.http, listen.websocket, listen.sse, document.https()];
    let http = http.iter().any(Option::is_some);
    let tcp = listen.tcp.is_some();
    // A node without ports is reported on its own.
    let (over_tcp, over_http) = (document.has_tcp(), document.has_http());
    if (tcp && over_tcp) || (http && over_http) || !(over_tcp || over_http) {
        return Vec::new();
    }
    let problem = written.problem("listen.tcp", "no listener is left for clients");
    vec![if http {
        problem
            .mark(written.mark("nodes.http_port", "nodes without HTTP"))
            .hint("the HTTP listeners need nodes with an `http_port`")
    } else if tcp {
        problem
            .mark(written.mark("nodes.tcp_port", "nodes without raw TCP"))
            .hint("give one of `listen.http`, `listen.websocket`, `listen.sse` a port")
    } else {
        problem.hint("give one of `listen.tcp`, `listen.http`, `listen.websocket`, `listen.sse` a port")
    }]
}

// Private

fn once_per_path(endpoints: Vec<Endpoint>, wrong: impl Fn(&Endpoint) -> bool) -> Vec<Endpoint> {
    let mut reported = BTreeSet::new();
    endpoints
        .into_iter()
        .filter(|endpoint| wrong(endpoint) && reported.insert(endpoint.path.clone()))
        .collect()
}

fn collision(written: &ParsedProfile, a: &Endpoint, b: &Endpoint) -> Problem {
    // The value that was written last is more likely to be the mistake.
    let (last, first) = if written.origin(&a.path) >= written.origin(&b.path) {
        (a, b)
    } else {
        (b, a)
    };
    let mark = |endpoint: &Endpoint| {
        let at = match endpoint.ip {
            ip if ip.is_ipv6() => format!("[{ip}]:{}", endpoint.port),
            ip => format!("{ip}:{}", endpoint.port),
        };
        written.mark(&endpoint.path, format!("{} on {at}", endpoint.title))
    };
    Problem::new(format!(
        "{} and {} both use port {}",
        first.title, last.title, last.port
    ))
    .mark(mark(last))
    .mark(mark(first))
    .hint(format!("give `{}` or `{}` another port", last.path, first.path))
}
