//! Nodes of one cluster that find one another, without epmd.
//!
//! Each listens for the others at a port that the profile gives it, on loopback. Which node has which is on the command line
//! of all of them, where our `mcp_epmd` looks; `mcp_mesh` connects them, and `mcp_dist` turns away what would harm a node. So
//! nothing runs beside the nodes, and two clusters may have nodes of the same names.

use crate::profile::Node;

/// The host in nodes' names: they are reached on loopback, whatever this machine is called.
pub const HOST: &str = "localhost";
/// The modules that nodes need for it, as [`Code`](super::Code) has them.
pub const MODULES: [(&str, &str); 3] = [
    ("mcp_dist.erl", include_str!("../../../beam/src/mcp_dist.erl")),
    ("mcp_epmd.erl", include_str!("../../../beam/src/mcp_epmd.erl")),
    ("mcp_mesh.erl", include_str!("../../../beam/src/mcp_mesh.erl")),
];

/// What `node`, one of `nodes`, is told on its command line.
#[must_use]
pub fn words(node: &Node, nodes: &[Node]) -> Vec<String> {
    let mut words: Vec<String> = ["-sname", &format!("{}@{HOST}", node.name)]
        .into_iter()
        .chain([
            "-proto_dist",
            "mcp",
            "-start_epmd",
            "false",
            "-epmd_module",
            "mcp_epmd",
        ])
        .map(str::to_owned)
        .collect();
    for other in nodes {
        if let Some(at) = other.distribution {
            words.extend(["-mcp_port".to_owned(), other.name.clone(), at.port().to_string()]);
        }
    }
    words
}
