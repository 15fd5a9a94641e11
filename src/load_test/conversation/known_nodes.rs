//! Which node serves a client, where servers do not give themselves the names of the nodes.

/// The nodes of a cluster, and where its balancer shows the node of a client over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNodes {
    /// Their names.
    pub names: Vec<String>,
    /// The name of the balancer's cookie, whose value is a node's name.
    pub cookie: String,
}

impl KnownNodes {
    /// The node that serves a client: `own`, the server's own name, if it is a node's, else the one
    /// that the balancer has added to the client's session (`ID~NODE`), else the one in its cookie.
    /// Servers of other names than the nodes' are `own`.
    pub(super) fn serving(&self, own: String, session: Option<&str>, cookies: Option<&str>) -> String {
        if self.is_known(&own) {
            return own;
        }
        let in_session = session.and_then(|id| Some(id.rsplit_once('~')?.1));
        let in_cookie = cookies.and_then(|cookies| {
            let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
            Some(pairs.find(|(name, _)| *name == self.cookie)?.1)
        });
        let shown = [in_session, in_cookie].into_iter().flatten();
        shown
            .filter(|name| self.is_known(name))
            .map(str::to_owned)
            .next()
            .unwrap_or(own)
    }

    // Private

    fn is_known(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_its_own_name_or_by_what_the_balancer_shows() {
        let nodes = KnownNodes {
            names: vec!["n1".into(), "n2".into()],
            cookie: "SERVERID".into(),
        };
        for (own, session, cookies, expected) in [
            ("n1", Some("abc~n2"), Some("SERVERID=n2"), "n1"),
            ("weather", Some("abc~n2"), Some("SERVERID=n1"), "n2"),
            ("weather", Some("abc"), Some("a=n2; SERVERID=n1"), "n1"),
            ("weather", Some("abc~other"), None, "weather"),
            ("weather", None, Some("SERVERID=gone"), "weather"),
        ] {
            let serving = nodes.serving(own.to_owned(), session, cookies);
            assert_eq!(serving, expected, "{own} {session:?} {cookies:?}");
        }
    }
}
