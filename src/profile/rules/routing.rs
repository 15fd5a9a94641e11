//! What can be asked of which traffic.

use crate::profile::document::{Algorithm, Sticky};
use crate::profile::parsed::Written;
use crate::profile::problem::Problem;

/// Raw TCP has neither paths nor headers.
pub(super) fn tcp(written: &Written) -> Vec<Problem> {
    let route = written.document.routing.tcp;
    let mut problems = Vec::new();
    if route.algorithm == Algorithm::Uri {
        problems.push(
            written
                .problem("routing.tcp.algorithm", "raw TCP has no URI to hash")
                .hint("for TCP: roundrobin, leastconn, source"),
        );
    }
    let missing = match route.sticky {
        Sticky::None | Sticky::Source => return problems,
        Sticky::Cookie => "cookies",
        Sticky::McpSession => "`Mcp-Session-Id` header",
    };
    problems.push(
        written
            .problem("routing.tcp.sticky", format!("raw TCP has no {missing}"))
            .hint("for TCP: none, source"),
    );
    problems
}
