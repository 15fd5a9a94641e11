//! What HAProxy reads when it starts so that drained nodes are drained from its first connection on.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::pool::servers;
use crate::profile::{Cluster, Node};

/// Drained by an administrator, as HAProxy numbers it (`SRV_ADMF_FDRAIN`).
const DRAINED: u8 = 8;

/// The list of drained nodes' names.
#[must_use]
pub fn drained_names(cluster: &Cluster, drained: &BTreeSet<String>) -> String {
    list(
        "Drained nodes",
        nodes(cluster, drained).map(|node| node.name.clone()),
    )
}

/// The list of drained nodes' server ids.
#[must_use]
pub fn drained_ids(cluster: &Cluster, drained: &BTreeSet<String>) -> String {
    list(
        "Server ids of drained nodes",
        nodes(cluster, drained).map(|node| node.number.to_string()),
    )
}

/// A server state file that knows only who is drained. Without a file HAProxy warns.
///
/// Its format, version 1, is told by HAProxy's management guide at `show servers state`.
#[must_use]
pub fn server_states(cluster: &Cluster, drained: &BTreeSet<String>) -> String {
    let mut text = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
                    srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state \
                    srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord\n"
        .to_owned();
    for node in nodes(cluster, drained) {
        for server in servers(cluster, &node.name) {
            let Some(address) = server.address else {
                continue;
            };
            // Running, as far as anybody knows yet, and checked; who tracks another one is not.
            let check = if server.tracks {
                "1 0 2 0".to_owned()
            } else {
                format!(
                    "6 3 {} 6",
                    cluster.health.rise.saturating_add(cluster.health.fall) - 1
                )
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "0 {} {} {} {} 2 {DRAINED} {weight} {weight} 0 {check} 0 0 1 - {} -",
                server.backend,
                node.number,
                node.name,
                address.ip(),
                address.port(),
                weight = node.weight,
            );
        }
    }
    text
}

// Private

fn nodes<'a>(cluster: &'a Cluster, drained: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Node> {
    cluster.nodes.iter().filter(|node| drained.contains(&node.name))
}

fn list(what: &str, entries: impl Iterator<Item = String>) -> String {
    let mut text = format!("# {what}, one a line: clients are not brought back to them.\n");
    for entry in entries {
        text.push_str(&entry);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{DEFAULT, Source, load};

    #[test]
    fn a_drained_node_is_in_every_list_and_every_backend() {
        let cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let drained = BTreeSet::from(["erlmcp2".to_owned(), "nobody".to_owned()]);
        assert!(drained_names(&cluster, &drained).ends_with(".\nerlmcp2\n"));
        assert!(drained_ids(&cluster, &drained).ends_with(".\n2\n"));
        let states = server_states(&cluster, &drained);
        let lines: Vec<&str> = states.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "0 mcp_cluster_tcp 2 erlmcp2 127.0.0.1 2 8 100 100 0 6 3 3 6 0 0 1 - 9002 -",
                "0 mcp_http_backend 2 erlmcp2 127.0.0.1 2 8 100 100 0 6 3 3 6 0 0 1 - 8082 -",
                "0 mcp_websocket_backend 2 erlmcp2 127.0.0.1 2 8 100 100 0 1 0 2 0 0 0 1 - 8082 -",
                "0 mcp_sse_backend 2 erlmcp2 127.0.0.1 2 8 100 100 0 1 0 2 0 0 0 1 - 8082 -",
            ]
        );
        assert_eq!(server_states(&cluster, &BTreeSet::new()).lines().count(), 2);
    }
}
