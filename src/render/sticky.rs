//! How a client is routed back to its node, as lines of a HAProxy backend: by its session first,
//! then by its cookie, then by its address.
//!
//! A session's id contains its node: clients get `Mcp-Session-Id` as `ID~NODE`, and nodes get `ID`.
//! So a balancer does not store sessions, and each process, even one that has just started, routes
//! all of them the same way. HAProxy evaluates `use-server` before it evaluates the cookie, and
//! searches its stick tables last.
//!
//! A drained node is in two lists, of names and of server ids; HAProxy itself would continue to
//! send sticky clients to the node.

use crate::platform::RunDir;
use crate::profile::{Cluster, Sticky};

use super::haproxy::{timer, word};
use super::pool::Pool;
use super::revision::WITHOUT_SESSIONS;

/// Names on one `acl` line: HAProxy accepts 64 words a line.
const NAMES_PER_LINE: usize = 16;

impl Pool {
    /// What clients of this kind are recognised by; the first that identifies the client's node
    /// wins.
    ///
    /// Where any stickiness is configured, a session comes first: only its node can answer. Event
    /// streams belong to a session that requests have begun, so they also follow the cookie of
    /// those requests.
    pub(super) fn followed(self, cluster: &Cluster) -> Vec<Sticky> {
        let own = self.route(cluster).sticky;
        let requests = cluster.routing.http.sticky;
        let mut followed = Vec::new();
        if self != Pool::Tcp && (requests != Sticky::None || own == Sticky::McpSession) {
            followed.push(Sticky::McpSession);
        }
        if matches!(self, Pool::Http | Pool::Sse) && requests == Sticky::Cookie {
            followed.push(Sticky::Cookie);
        }
        if own != Sticky::None && !followed.contains(&own) {
            followed.push(own);
        }
        followed
    }

    /// Whether this pool's nodes are named in the ids of sessions: if any pool recognises clients
    /// by them, all pools that use HTTP do.
    pub(super) fn names_sessions(self, cluster: &Cluster) -> bool {
        let by_session = |pool: Pool| pool.followed(cluster).contains(&Sticky::McpSession);
        self != Pool::Tcp
            && [Pool::Http, Pool::WebSocket, Pool::Sse]
                .into_iter()
                .any(by_session)
    }

    /// The lines of this pool's backend.
    pub(super) fn sticky(self, cluster: &Cluster, run_dir: &RunDir) -> Vec<String> {
        let followed = self.followed(cluster);
        let names = word(&run_dir.haproxy_drained_names());
        // HAProxy evaluates `http-request` rules first, and warns unless they are written first.
        let (mut rules, mut choices) = (Vec::new(), Vec::new());
        if self.names_sessions(cluster) {
            rules.extend(session_ids(cluster));
        }
        for sticky in &followed {
            match sticky {
                Sticky::None => {}
                Sticky::McpSession => {
                    rules.push(format!(
                        "acl session_is_drained var(txn.session_node) -m str -f {names}"
                    ));
                    choices.push(format!("use-server %[var(txn.session_node)] if {BY_SESSION}"));
                }
                Sticky::Cookie => {
                    let cookie = &cluster.routing.cookie;
                    rules.extend(cookie_rules(cookie, &names));
                    choices.push(format!("cookie {cookie} insert indirect nocache httponly"));
                }
                Sticky::Source => choices.extend(self.by_address(cluster, run_dir, &followed)),
            }
        }
        rules.extend(choices);
        rules
    }

    // Private

    /// Routes by the client's address, unless its entry names a drained node: then the client is
    /// balanced, and its entry overwritten. A request that was routed in another way leaves the
    /// entry alone, because other clients of that address depend on it.
    fn by_address(self, cluster: &Cluster, run_dir: &RunDir, followed: &[Sticky]) -> Vec<String> {
        let table = cluster.routing.table;
        let ids = word(&run_dir.haproxy_drained_ids());
        let mut routed = Vec::new();
        if followed.contains(&Sticky::McpSession) {
            routed.push(BY_SESSION);
        }
        if followed.contains(&Sticky::Cookie) {
            routed.push(BY_COOKIE);
        }
        let unless = if routed.is_empty() { "" } else { " unless " };
        // The address of a trusted proxy's client is in a header.
        let client = if self == Pool::Tcp || cluster.listen.trusted.is_empty() {
            "src"
        } else {
            "var(txn.client)"
        };
        vec![
            format!(
                "stick-table type ipv6 size {} expire {} peers clusterctl",
                table.size,
                timer(table.expire)
            ),
            format!(
                "stick match {client} unless {{ {client},table_server_id({}) -m int -f {ids} }}",
                self.name()
            ),
            format!("stick store-request {client}{unless}{}", routed.join(" or ")),
        ]
    }
}

// Private

/// Condition of a request of a revision without sessions.
const NO_SESSION: &str = "{ var(txn.has_no_session) -m bool }";

/// Conditions of a request that is routed by its session, or by its cookie.
const BY_SESSION: &str = "session_is_ours !session_is_drained";
const BY_COOKIE: &str = "{ var(txn.cookie),length gt 0 }";

/// The rules that translate a session's id on its way to the node and back. The last `~` separates
/// it from the node's name, which contains none; what follows another `~`, or is not the name of a
/// node of this cluster, belongs to the id.
fn session_ids(cluster: &Cluster) -> Vec<String> {
    let names: Vec<&str> = cluster.nodes.iter().map(|node| node.name.as_str()).collect();
    let acls = names.chunks(NAMES_PER_LINE).map(|names| {
        format!(
            "acl session_is_ours var(txn.session_node) -m str {}",
            names.join(" ")
        )
    });
    let sent = "req.fhdr(Mcp-Session-Id,1)";
    let given = "res.fhdr(Mcp-Session-Id,1)";
    let mut lines = vec![
        "# From MCP 2026-07-28 on there are no sessions, and ids pass as they are.".to_owned(),
        format!(
            "http-request set-var(txn.has_no_session) bool(true) \
             if {{ req.fhdr(MCP-Protocol-Version,1) -m reg '{WITHOUT_SESSIONS}' }}"
        ),
        "# The id of a session contains its node: clients get ID~NODE, and nodes get ID.".to_owned(),
        format!("http-request set-var(txn.session_id) {sent},field(-2,~,0) unless {NO_SESSION}"),
        format!(
            "http-request set-var(txn.session_node) {sent},field(-1,~) if {{ var(txn.session_id),length gt 0 }}"
        ),
    ];
    lines.extend(acls);
    lines.extend([
        "http-request set-header Mcp-Session-Id %[var(txn.session_id)] if session_is_ours".to_owned(),
        format!(
            "http-response set-header Mcp-Session-Id %[{given}]~%s if {{ {given},length gt 0 }} !{NO_SESSION}"
        ),
    ]);
    lines
}

/// The rules for a cookie that names a node. HAProxy removes it from the request after evaluating
/// it.
fn cookie_rules(cookie: &str, drained_names: &str) -> [String; 3] {
    let pattern = cookie.replace('.', "\\.");
    [
        "# A cookie that names a drained node is emptied, so that the client gets a new one.".to_owned(),
        format!(
            "http-request replace-header Cookie '^(.*; *)?{pattern}=[^;]*(.*)$' '\\1{cookie}=\\2' \
             if {{ req.cook({cookie}) -m str -f {drained_names} }}"
        ),
        format!("http-request set-var(txn.cookie) req.cook({cookie})"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Algorithm, DEFAULT, Route, Source, load};

    fn cluster(http: Sticky, sse: Sticky) -> Cluster {
        let mut cluster = load(&Source::read(DEFAULT).unwrap()).unwrap();
        cluster.routing.http.sticky = http;
        cluster.routing.sse.sticky = sse;
        cluster
    }

    #[test]
    fn a_session_comes_before_a_cookie_and_a_cookie_before_an_address() {
        use Sticky::{Cookie, McpSession, Source};
        let followed = |http, sse, pool: Pool| pool.followed(&cluster(http, sse));
        let default = |pool| followed(Cookie, Source, pool);
        assert_eq!(default(Pool::Http), [McpSession, Cookie]);
        assert_eq!(default(Pool::Sse), [McpSession, Cookie, Source]);
        assert_eq!(default(Pool::WebSocket), [McpSession, Source]);
        assert_eq!(default(Pool::Tcp), [Source]);
        assert_eq!(followed(Source, Source, Pool::Http), [McpSession, Source]);
        assert_eq!(followed(McpSession, Sticky::None, Pool::Http), [McpSession]);
        assert_eq!(followed(McpSession, Sticky::None, Pool::Sse), [McpSession]);
        assert_eq!(followed(Sticky::None, Source, Pool::Http), []);
        assert_eq!(followed(Sticky::None, Source, Pool::Sse), [Source]);
        assert_eq!(followed(Sticky::None, McpSession, Pool::Sse), [McpSession]);
    }

    #[test]
    fn all_pools_name_nodes_in_session_ids_or_none_does() {
        for (http, sse, named) in [
            (Sticky::None, Sticky::Source, false),
            (Sticky::None, Sticky::McpSession, true),
            (Sticky::Source, Sticky::None, true),
        ] {
            let cluster = cluster(http, sse);
            for pool in [Pool::Http, Pool::WebSocket, Pool::Sse] {
                assert_eq!(pool.names_sessions(&cluster), named, "{pool:?}");
            }
            assert!(!Pool::Tcp.names_sessions(&cluster));
        }
    }

    #[test]
    fn many_names_are_split_over_several_lines() {
        let mut cluster = cluster(Sticky::Cookie, Sticky::Source);
        cluster.routing.http = Route {
            algorithm: Algorithm::Roundrobin,
            sticky: Sticky::McpSession,
        };
        let first = cluster.nodes[0].clone();
        cluster.nodes = (1..=40)
            .map(|number| {
                let mut node = first.clone();
                node.name = format!("node{number}");
                node
            })
            .collect();
        let lines = Pool::Http.sticky(&cluster, &RunDir::at("/run/x"));
        let names = lines
            .iter()
            .filter(|line| line.starts_with("acl session_is_ours "));
        let words: Vec<usize> = names.map(|line| line.split(' ').count() - 5).collect();
        assert_eq!(words, [16, 16, 8], "{lines:#?}");
    }
}
