//! Nodes of one cluster that find one another, without epmd.
//!
//! Each listens for the others at a port that the profile gives it, on loopback. Which node has which is on the command line
//! of all of them, where our `mcp_epmd` looks; `mcp_mesh` connects them. So nothing runs beside the nodes, and two clusters
//! may have nodes of the same names.

use crate::profile::Node;

/// The host in nodes' names: they are reached on loopback, whatever this machine is called.
pub const HOST: &str = "localhost";
/// The modules that nodes need for it, as [`Code`](super::Code) has them.
pub const MODULES: [(&str, &str); 2] = [
    ("mcp_epmd.erl", include_str!("../../beam/src/mcp_epmd.erl")),
    ("mcp_mesh.erl", include_str!("../../beam/src/mcp_mesh.erl")),
];

/// What `node`, one of `nodes`, is told on its command line.
#[must_use]
pub fn words(node: &Node, nodes: &[Node]) -> Vec<String> {
    let name = format!("{}@{HOST}", node.name);
    let mut words = vec![
        "-sname",
        &name,
        "-start_epmd",
        "false",
        "-epmd_module",
        "mcp_epmd",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect::<Vec<_>>();
    for other in nodes {
        if let Some(at) = other.distribution {
            words.extend(["-mcp_port".to_owned(), other.name.clone(), at.port().to_string()]);
        }
    }
    words
}
