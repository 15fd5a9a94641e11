//! The `sys.config` of a node of erlmcp.

use super::words::atom;

/// Connections that the node accepts beyond those that it is to hold: checks must reach a node that is full.
const FOR_CHECKS: u32 = 64;

/// What a node is told before it begins: to log no more than warnings, by which cookie its cluster knows itself, and how
/// many connections it may have, of which erlmcp refuses all above 10,000 unless told. `erlmcp` is what `erlmcp_core` was
/// called once.
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
