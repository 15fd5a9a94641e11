//! What a started cluster serves.

use std::time::{Duration, Instant};

use super::POLL_INTERVAL;
use crate::api::{Balancer, BalancerState, Client, ClientError, GetStatus, NodeState, Status};
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::report;

/// Time for a node to show what it serves, after everything serves.
const REVISIONS_TIMEOUT: Duration = Duration::from_secs(1);

/// Prints which addresses are served.
pub(super) async fn serves(settings: &Settings, printer: &Printer, client: &Client, how: &str) -> Outcome {
    let status = shown(client).await?;
    if settings.json {
        printer.pretty_json(&status)?;
    } else {
        printer.data(&report::serving(&status, how))?;
    }
    // External nodes are not waited for.
    for node in status
        .nodes
        .iter()
        .filter(|node| node.external && matches!(node.state, NodeState::Down | NodeState::Starting))
    {
        let addresses: Vec<String> = node
            .tcp
            .iter()
            .chain(&node.http)
            .map(ToString::to_string)
            .collect();
        printer.warning(&format!(
            "{} does not answer at {}",
            node.name,
            addresses.join(" and ")
        ));
    }
    let problem = status
        .nodes
        .iter()
        .find_map(|node| Some((node, node.mcp_problem.as_ref()?)));
    if let Some((node, problem)) = problem {
        let name = &node.name;
        printer.warning(&format!(
            "{name} serves no MCP where clients expect it: {problem} (`routing.paths.mcp`)"
        ));
    }
    match status.balancer.as_ref().and_then(failure) {
        Some(failure) => Err(failure),
        None => Ok(Exit::Done),
    }
}

// Private

/// Why the balancer does not serve: it may have ended as soon as it had answered.
fn failure(balancer: &Balancer) -> Option<Failure> {
    let kind = balancer.kind;
    (balancer.state == BalancerState::Failed).then(|| {
        Failure::because(format!("{kind} does not serve")).hint(format!(
            "`clusterctl health` shows the reason, `clusterctl logs {kind}` its messages"
        ))
    })
}

/// The status, once a node has shown what it serves at the path of MCP, or has had the time to.
async fn shown(client: &Client) -> Result<Status, ClientError> {
    let deadline = Instant::now() + REVISIONS_TIMEOUT;
    loop {
        let status = client.call(&GetStatus).await?;
        let mut up = status.nodes.iter().filter(|node| node.state == NodeState::Up);
        let is_shown =
            up.clone().next().is_none() || up.any(|node| !node.eras.is_empty() || node.mcp_problem.is_some());
        if is_shown || Instant::now() >= deadline {
            return Ok(status);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balancer_that_has_ended_is_a_failure() {
        let balancer = |state: &str| -> Balancer {
            serde_json::from_value(serde_json::json!({
                "kind": "nginx", "state": state, "pids": [], "restarts": 1, "uptime_seconds": 0,
                "endpoints": {}, "stats_sockets": [],
            }))
            .unwrap()
        };
        let failed = failure(&balancer("failed")).unwrap();
        assert_eq!(failed.error.to_string(), "nginx does not serve");
        // `--only nodes` starts none.
        for state in ["running", "reloading", "stopped"] {
            assert!(failure(&balancer(state)).is_none(), "{state}");
        }
    }
}
