//! `restart`: one node, or everything in its order.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::names;
use super::printer::Printer;
use super::progress;
use super::settings::Settings;
use crate::api::{Client, RestartOrder};

/// Restarts, and waits until it serves again.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Restart) -> Outcome {
    let run_dir = settings.run_dir()?;
    let client = Client::connect(&run_dir.control_socket()).await?;
    if let Some(name) = &args.node {
        known(&client, name).await?;
    }
    let order = RestartOrder {
        node: args.node.clone(),
    };
    client.restart(&order).await?;
    progress::attend("restart", &client, &run_dir, printer).await?;
    Ok(Exit::Done)
}

// Private

async fn known(client: &Client, name: &str) -> Result<(), Failure> {
    let nodes = client.status().await?.nodes;
    if nodes.iter().any(|node| node.name == name) {
        return Ok(());
    }
    Err(names::unknown(
        "node",
        name,
        nodes.iter().map(|node| node.name.as_str()),
    ))
}
