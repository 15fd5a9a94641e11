//! How the nodes of a cluster find one another without epmd.
//!
//! Each node listens for the others at a port of the profile, on loopback. The command line of each
//! lists all nodes with their ports, and `mcp_epmd` looks there; `mcp_mesh` connects the nodes, and
//! `mcp_dist` refuses connections that would harm a node. So no other process runs beside the
//! nodes, and two clusters may have nodes with the same names.

use crate::profile::Node;

/// The host in nodes' names: they listen on loopback, whatever this machine is called.
pub const HOST: &str = "localhost";
/// The modules that nodes need for the mesh, as [`Code`](super::Code) lists them.
pub const MODULES: [(&str, &str); 3] = [
    ("mcp_dist.erl", include_str!("../../../beam/src/mcp_dist.erl")),
    ("mcp_epmd.erl", include_str!("../../../beam/src/mcp_epmd.erl")),
    ("mcp_mesh.erl", include_str!("../../../beam/src/mcp_mesh.erl")),
];

/// The arguments of the command line of `node`, which is one of `nodes`.
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
