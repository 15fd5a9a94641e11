//! `ready`: undoes a drain, and changes that were made directly at the balancer.

use super::args;
use super::exit::Exit;
use super::failure::Outcome;
use super::printer::Printer;
use super::progress;
use super::reply::NodeReply;
use super::serving::{all_serve, settled};
use super::settings::Settings;
use super::suggestions::about_node;
use crate::api::{Client, Node, ReadyOrder};

/// Gives the node new connections again; waits until it serves, if the drain had stopped it.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Ready) -> Outcome {
    let client = Client::connect(&settings.run_dir()?.control_socket()).await?;
    let order = ReadyOrder {
        node: args.node.clone(),
    };
    let ready = match client.call(&order).await {
        Ok(ready) => ready,
        Err(error) => return Err(about_node(&client, &args.node, error).await),
    };
    for sentence in &ready.took_back {
        printer.note(&format!("took back: {sentence}"));
    }
    if let Some(warning) = &ready.unsaved {
        printer.warning(warning);
    }
    progress::outcome(&client).await?;
    let is_meant = |node: &Node| node.name == args.node;
    let status = settled(&client, is_meant).await?;
    all_serve(&status, "is ready", is_meant)?;
    printer.note(&format!("{} takes new connections", args.node));
    if settings.json {
        printer.pretty_json(&NodeReply::new(status, &args.node, ready.took_back))?;
    }
    Ok(Exit::Done)
}
