//! What brings a client back to its node, as lines of a HAProxy backend: its session first, then its cookie, then its address.
//!
//! A session carries its node: clients get `Mcp-Session-Id` as `ID~NODE`, and nodes get `ID`. So no balancer remembers sessions, and
//! each process, also one that has just started, routes all of them alike. HAProxy evaluates `use-server` before it looks at
//! the cookie, and looks at its stick tables last.
//!
//! A node that is drained stands on two lists, of names and of server ids; HAProxy itself would go on sending its clients there.

use crate::platform::RunDir;
use crate::profile::{Cluster, Sticky};

use super::haproxy::{timer, word};
use super::pool::Pool;

/// Names of one `acl` line: HAProxy takes 64 words a line.
const NAMES_PER_LINE: usize = 16;

impl Pool {
    /// What clients of this kind are recognised by, the first one that knows the client's node wins.
    ///
    /// Where anything is sticky, a session comes first: its node is the only one that can answer. Event streams belong to the
    /// session that requests have begun, so they follow the cookie of those too.
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

    /// Whether this pool's nodes name themselves in the ids of sessions: all that speak HTTP do, if any of them is recognised by it.
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
        // HAProxy evaluates `http-request` first, and wants it to stand first.
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

    /// A client's address, unless its entry names a drained node: then the client is balanced, and its entry overwritten. A request that
    /// something else has routed leaves the entry alone: other clients of that address go by it.
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
        vec![
            format!(
                "stick-table type ipv6 size {} expire {} peers clusterctl",
                table.size,
                timer(table.expire)
            ),
            format!(
                "stick match src unless {{ src,table_server_id({}) -m int -f {ids} }}",
                self.name()
            ),
            format!("stick store-request src{unless}{}", routed.join(" or ")),
        ]
    }
}

// Private

/// Conditions of a request that is routed by its session, or by its cookie.
const BY_SESSION: &str = "session_is_ours !session_is_drained";
const BY_COOKIE: &str = "{ var(txn.cookie),length gt 0 }";

/// A session's id on its way to the node and back. The last `~` parts it from the node's name, which has none; what follows another
/// `~`, or names no node of this cluster, belongs to the id.
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
        "# A session's node is in its id: clients get ID~NODE, and nodes get ID.".to_owned(),
        format!("http-request set-var(txn.session_id) {sent},field(-2,~,0)"),
        format!(
            "http-request set-var(txn.session_node) {sent},field(-1,~) if {{ var(txn.session_id),length gt 0 }}"
        ),
    ];
    lines.extend(acls);
    lines.extend([
        "http-request set-header Mcp-Session-Id %[var(txn.session_id)] if session_is_ours".to_owned(),
        format!("http-response set-header Mcp-Session-Id %[{given}]~%s if {{ {given},length gt 0 }}"),
    ]);
    lines
}

/// What is done about a cookie that names a node. HAProxy removes it from the request once it has looked.
fn cookie_rules(cookie: &str, drained_names: &str) -> [String; 3] {
    let pattern = cookie.replace('.', "\\.");
    [
        "# A cookie that names a drained node is emptied, so that the client gets another one.".to_owned(),
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
    fn ids_are_named_by_all_or_by_none() {
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
    fn many_names_stand_on_several_lines() {
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
