//! `reload`: applies the current profile without losing a connection.

use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::reply::ReloadReply;
use super::serving::settled;
use super::settings::Settings;
use crate::api::{Client, NodeState, ReloadOrder};
use crate::profile::difference;
use crate::supervisor::Record;

/// Shows what is different, and returns when it is in force.
pub(super) async fn run(settings: &Settings, printer: &Printer) -> Outcome {
    let run_dir = settings.run_dir()?;
    let client = Client::connect(&run_dir.control_socket()).await?;
    let record = Record::read(&run_dir).map_err(Failure::new)?;
    let running = record
        .map(|record| record.launch)
        .ok_or_else(|| Failure::because("the cluster is being stopped"))?;
    let source = settings.source_over(&running.source)?;
    let templates = settings.templates.clone().or(running.templates);
    let changes = difference(&running.source, &source)?;
    for change in &changes {
        printer.note(&change.to_string());
    }
    let reloaded = client.call(&ReloadOrder { source, templates }).await?;
    // Changes that were made directly at the balancer are transferred to its new process, and can
    // keep nodes from serving.
    let status = settled(&client, |_| false).await?;
    let away = status
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Maintenance);
    for node in away {
        let reason = node.reason.as_deref().unwrap_or("taken out at the balancer");
        printer.warning(&format!("{} gets no new connections: {reason}", node.name));
    }
    for problem in status.balancer.iter().flat_map(|balancer| &balancer.overrides) {
        printer.warning(problem);
    }
    if !reloaded.variables.is_empty() {
        printer.warning(&format!(
            "nodes that run keep their former {} until they are restarted: `clusterctl restart NODE`",
            reloaded.variables.join(", ")
        ));
    }
    match reloaded.pid {
        _ if settings.json => {
            let profile = changes.iter().map(ToString::to_string).collect();
            printer.pretty_json(&ReloadReply::new(reloaded, profile))?;
        }
        Some(pid) => printer.note(&format!("reloaded: pid {pid} takes new connections")),
        None => printer.note("reloaded: nothing changes for the balancer"),
    }
    Ok(Exit::Done)
}
