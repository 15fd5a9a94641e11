//! Which algorithms and kinds of stickiness are possible for which traffic.

use crate::profile::algorithm::Algorithm;
use crate::profile::document::Sticky;
use crate::profile::parsed::ParsedProfile;
use crate::profile::problem::Problem;

/// Raw TCP has neither paths nor headers.
pub(super) fn tcp(written: &ParsedProfile) -> Vec<Problem> {
    let route = written.document.routing.tcp;
    let mut problems = Vec::new();
    if route.algorithm.needs_http() {
        let others = Algorithm::ALL.into_iter().filter(|it| !it.needs_http());
        let others: Vec<&str> = others.map(Algorithm::name).collect();
        problems.push(
            written
                .problem("routing.tcp.algorithm", "raw TCP has no URI to hash")
                .hint(format!("for TCP: {}", others.join(", "))),
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
