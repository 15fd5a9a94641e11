//! The files that a balancer reads when it starts, so that drained nodes are drained, and dead ones
//! down, from its first connection on.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use super::pool::servers;
use crate::base::units::Period;
use crate::profile::{Cluster, Node};

/// Drained by an administrator: HAProxy's number for it (`SRV_ADMF_FDRAIN`).
const DRAINED: u8 = 8;
/// Down and up: HAProxy's numbers for them (`SRV_ST_STOPPED`, `SRV_ST_RUNNING`).
const STOPPED: u8 = 0;
const RUNNING: u8 = 2;
/// The columns of a server's state, without where its checks go.
const STATE_COLUMNS: usize = 20;
/// The columns of its address and port.
const ADDRESS_COLUMN: usize = 4;
const PORT_COLUMN: usize = 18;

/// The list of drained nodes' names.
#[must_use]
pub fn drained_names(cluster: &Cluster, drained: &BTreeSet<String>) -> String {
    list(
        "Drained nodes",
        "sticky clients are moved to other nodes",
        nodes(cluster, drained).map(|node| node.name.clone()),
    )
}

/// The list of drained nodes' server ids.
#[must_use]
pub fn drained_ids(cluster: &Cluster, drained: &BTreeSet<String>) -> String {
    list(
        "Server ids of drained nodes",
        "sticky clients are moved to other nodes",
        nodes(cluster, drained).map(|node| node.id.to_string()),
    )
}

/// The list of names of the nodes that are down.
#[must_use]
pub fn down_names(cluster: &Cluster, down: &BTreeSet<String>) -> String {
    let names = nodes(cluster, down).map(|node| node.name.clone());
    list(
        "Nodes that do not answer",
        "they are up again after their first good checks",
        names,
    )
}

/// The announcement of a stop, if there is one, and how fast connections are closed then.
#[must_use]
pub fn stopping(announced: bool, over: Duration) -> String {
    let announced = announced.then(|| "stopping".to_owned());
    let over = (!over.is_zero()).then(|| format!("over {}", Period::from(over)));
    list(
        "A stop of the cluster",
        "`stopping` makes /ready answer 503",
        announced.into_iter().chain(over),
    )
}

/// A server state file that contains only which nodes are drained, and which are down until a check
/// succeeds. Without a file HAProxy prints a warning.
///
/// Its format, version 1, is described in HAProxy's management guide at `show servers state`.
#[must_use]
pub fn server_states(cluster: &Cluster, drained: &BTreeSet<String>, down: &BTreeSet<String>) -> String {
    let header = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
                    srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state \
                    srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord\n";
    format!("{header}{}", server_entries(cluster, drained, down))
}

/// The entries of such a file.
#[must_use]
pub fn server_entries(cluster: &Cluster, drained: &BTreeSet<String>, down: &BTreeSet<String>) -> String {
    let mut text = String::new();
    let away = drained | down;
    for node in nodes(cluster, &away) {
        let is_down = down.contains(&node.name);
        let operation = if is_down { STOPPED } else { RUNNING };
        let admin = if drained.contains(&node.name) { DRAINED } else { 0 };
        for server in servers(cluster, &node.name) {
            let Some(address) = server.address else {
                continue;
            };
            // A server is up as far as is known yet, unless it is down, and is checked; a server
            // that tracks another one is not checked.
            let check = if server.tracks {
                "1 0 2 0".to_owned()
            } else if is_down {
                "8 2 0 6".to_owned()
            } else {
                format!(
                    "6 3 {} 6",
                    cluster.health.rise.saturating_add(cluster.health.fall) - 1
                )
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "0 {} {} {} {} {operation} {admin} {weight} {weight} 0 {check} 0 0 1 - {} -",
                server.backend,
                node.id,
                node.name,
                address.ip(),
                address.port(),
                weight = server.weight,
            );
        }
    }
    text
}

/// The server `states` of a process that serves the `former` cluster, for its successor, which serves
/// `cluster`. A node that has moved is at its new address; an address that others have set stays.
/// Where checks go is left to the successor's configuration.
#[must_use]
pub fn states_for_successor(states: &str, former: &Cluster, cluster: &Cluster) -> String {
    let mut text = String::new();
    for line in states.lines() {
        let mut columns: Vec<&str> = line.split(' ').collect();
        let moved = match columns[..] {
            [_, backend, _, name, ip, ..] if columns.len() >= STATE_COLUMNS && !line.starts_with('#') => {
                let port = columns[PORT_COLUMN];
                moved_to((backend, name), (ip, port), former, cluster)
            }
            _ => None,
        };
        let address = moved.map(|address| (address.ip().to_string(), address.port().to_string()));
        if let Some((ip, port)) = &address {
            columns[ADDRESS_COLUMN] = ip;
            columns[PORT_COLUMN] = port;
        }
        if !line.starts_with('#') {
            columns.truncate(STATE_COLUMNS);
        }
        text.push_str(&columns.join(" "));
        text.push('\n');
    }
    text
}

// Private

/// The new address of a server at this address, if its node has moved.
fn moved_to(
    (backend, name): (&str, &str),
    (ip, port): (&str, &str),
    former: &Cluster,
    cluster: &Cluster,
) -> Option<SocketAddr> {
    let planned = |cluster: &Cluster| {
        let servers = servers(cluster, name).into_iter();
        let mut servers = servers.filter(|server| server.backend == backend);
        servers.next()?.address
    };
    let was = planned(former)?;
    let is_there = was.ip().to_string() == ip && was.port().to_string() == port;
    planned(cluster).filter(|is| is_there && *is != was)
}

fn nodes<'a>(cluster: &'a Cluster, drained: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Node> {
    cluster.nodes.iter().filter(|node| drained.contains(&node.name))
}

fn list(what: &str, why: &str, entries: impl Iterator<Item = String>) -> String {
    let mut text = format!("# {what}, one a line: {why}.\n");
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
    fn a_successor_gets_the_addresses_of_nodes_that_have_moved_and_checks_where_it_is_configured() {
        let cluster = |sets: &[&str]| {
            let mut source = Source::read(DEFAULT).unwrap();
            source.sets = sets.iter().map(|set| (*set).to_owned()).collect();
            load(&source).unwrap()
        };
        // Others have set the address of erlmcp2.
        let states = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state .. srv_check_port srv_check_addr ..\n\
            8 mcp_cluster_tcp 1 erlmcp1 127.0.0.1 2 0 100 100 0 15 3 2 6 0 0 1 - 9001 - 0 8081 - - 8081\n\
            9 mcp_http_backend 1 erlmcp1 127.0.0.1 2 8 100 100 0 15 3 2 6 0 0 1 - 8081 - 0 0 - - 0\n\
            9 mcp_http_backend 2 erlmcp2 127.0.0.1 2 0 100 100 0 15 3 2 6 0 0 1 - 7000 - 0 0 - - 0\n";
        assert_eq!(
            states_for_successor(states, &cluster(&[]), &cluster(&["nodes.http_port=8181"])),
            "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state .. srv_check_port srv_check_addr ..\n\
            8 mcp_cluster_tcp 1 erlmcp1 127.0.0.1 2 0 100 100 0 15 3 2 6 0 0 1 - 9001 -\n\
            9 mcp_http_backend 1 erlmcp1 127.0.0.1 2 8 100 100 0 15 3 2 6 0 0 1 - 8181 -\n\
            9 mcp_http_backend 2 erlmcp2 127.0.0.1 2 0 100 100 0 15 3 2 6 0 0 1 - 7000 -\n"
        );
    }

    #[test]
    fn a_drained_node_is_in_every_list_and_every_backend() {
        let cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let drained = BTreeSet::from(["erlmcp2".to_owned(), "nobody".to_owned()]);
        assert!(drained_names(&cluster, &drained).ends_with(".\nerlmcp2\n"));
        assert!(drained_ids(&cluster, &drained).ends_with(".\n2\n"));
        let states = server_states(&cluster, &drained, &BTreeSet::new());
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
        let none = BTreeSet::new();
        assert_eq!(server_states(&cluster, &none, &none).lines().count(), 2);
    }

    #[test]
    fn a_node_that_is_down_is_marked_down_drained_or_not() {
        let cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        let drained = BTreeSet::from(["erlmcp2".to_owned()]);
        let down = BTreeSet::from(["erlmcp2".to_owned(), "erlmcp3".to_owned()]);
        assert!(down_names(&cluster, &down).ends_with(".\nerlmcp2\nerlmcp3\n"));
        let states = server_states(&cluster, &drained, &down);
        let lines: Vec<&str> = states.lines().skip(2).collect();
        assert_eq!(
            (lines.len(), lines[0], lines[4], lines[6]),
            (
                8,
                "0 mcp_cluster_tcp 2 erlmcp2 127.0.0.1 0 8 100 100 0 8 2 0 6 0 0 1 - 9002 -",
                "0 mcp_cluster_tcp 3 erlmcp3 127.0.0.1 0 0 100 100 0 8 2 0 6 0 0 1 - 9003 -",
                "0 mcp_websocket_backend 3 erlmcp3 127.0.0.1 0 0 100 100 0 1 0 2 0 0 0 1 - 8083 -",
            )
        );
    }
}
