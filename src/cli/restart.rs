//! `restart`: restarts one node, or all nodes in order and then the balancer.

use super::args;
use super::exit::Exit;
use super::failure::Outcome;
use super::printer::Printer;
use super::progress;
use super::reply::RestartReply;
use super::rolling_restart;
use super::serving::{all_serve, settled};
use super::settings::Settings;
use super::suggestions::about_node;
use crate::api::{Client, Node, RestartOrder};

/// Restarts, and waits until the nodes serve again.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Restart) -> Outcome {
    if args.rolling {
        return rolling_restart::run(settings, printer, args).await;
    }
    let run_dir = settings.run_dir()?;
    let client = Client::connect(&run_dir.control_socket()).await?;
    let order = RestartOrder {
        node: args.node.clone(),
    };
    match (client.call(&order).await, &args.node) {
        (Ok(()), _) => {}
        (Err(error), Some(name)) => return Err(about_node(&client, name, error).await),
        (Err(error), None) => return Err(error.into()),
    }
    progress::attend("restart", &client, &run_dir, printer).await?;
    let is_meant = |node: &Node| args.node.as_ref().is_none_or(|name| *name == node.name);
    let status = settled(&client, is_meant).await?;
    all_serve(&status, "was restarted", is_meant)?;
    if settings.json {
        printer.pretty_json(&RestartReply::new(status, args.node.as_deref()))?;
    }
    Ok(Exit::Done)
}
