//! The `sys.config` of a node of erlmcp.

use super::words::atom;

/// Connections that the node accepts in addition to those of clients: checks must reach a full
/// node.
const FOR_CHECKS: u32 = 64;

/// The configuration of a node: it logs warnings and worse, knows the cookie of its cluster, and
/// has a limit of connections, because erlmcp refuses those above 10,000 by default. `erlmcp` is
/// the former name of `erlmcp_core`.
pub(super) fn sys_config(node: &str, cookie: &str, maxconn: u32) -> String {
    let cookie = atom(cookie);
    let connections = maxconn.saturating_add(FOR_CHECKS);
    let limits = format!("{{connection_limiting, #{{enabled => true, max_connections => {connections}}}}}");
    format!(
        "%% Written by clusterctl for {node}: what is written here is lost at the next start.\n\
         [{{kernel, [{{logger_level, warning}}]}},\n \
         {{erlmcp_core, [{{cluster_cookie, {cookie}}}, {limits}]}},\n \
         {{erlmcp, [{{cluster_cookie, {cookie}}}, {limits}]}}].\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list_of_applications() {
        assert_eq!(
            sys_config("erlmcp1", "secret", 19_936),
            "%% Written by clusterctl for erlmcp1: what is written here is lost at the next start.\n\
             [{kernel, [{logger_level, warning}]},\n \
             {erlmcp_core, [{cluster_cookie, 'secret'}, {connection_limiting, #{enabled => true, max_connections => 20000}}]},\n \
             {erlmcp, [{cluster_cookie, 'secret'}, {connection_limiting, #{enabled => true, max_connections => 20000}}]}].\n"
        );
    }
}
