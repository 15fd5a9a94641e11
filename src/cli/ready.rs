//! `ready`: undoes a drain.

use super::args;
use super::exit::Exit;
use super::failure::Outcome;
use super::names::known_node;
use super::printer::Printer;
use super::progress;
use super::settings::Settings;
use crate::api::{Client, ReadyOrder};

/// Lets the node have new connections; waits until it serves, if the drain had stopped it.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Ready) -> Outcome {
    let client = Client::connect(&settings.run_dir()?.control_socket()).await?;
    known_node(&client, &args.node).await?;
    client
        .ready(&ReadyOrder {
            node: args.node.clone(),
        })
        .await?;
    progress::outcome(&client).await?;
    printer.note(&format!("{} takes new connections", args.node));
    Ok(Exit::Done)
}
