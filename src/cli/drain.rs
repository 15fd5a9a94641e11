//! `drain`: a node gets no new connections or sessions; established ones continue.

use std::time::{Duration, Instant};

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::progress_line::ProgressLine;
use super::reply::NodeReply;
use super::settings::Settings;
use super::suggestions::about_node;
use crate::api::{Client, ClientError, DrainOrder, GetStatus, Node, NodeState};
use crate::platform::RunDir;

/// The time between two queries of the connections.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How long closing at the deadline, and stopping, are waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Orders the drain, and with `--wait` returns when the node is empty.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Drain) -> Outcome {
    let run_dir = settings.run_dir()?;
    let client = Client::connect(&run_dir.control_socket()).await?;
    let order = DrainOrder {
        node: args.node.clone(),
        deadline: Some(args.deadline),
        close: args.close,
        stop: args.stop,
        force: args.force,
    };
    let unsaved = match client.call(&order).await {
        // The next supervisor may not know the order: it is sent to that one again.
        Err(ClientError::Ended) if args.wait => again(&run_dir, &order, args.deadline.duration()).await?,
        Err(error) => return Err(about_node(&client, &args.node, error).await),
        Ok(unsaved) => unsaved,
    };
    if let Some(warning) = unsaved {
        printer.warning(&warning);
    }
    if args.wait {
        wait(printer, &run_dir, args).await?;
    } else {
        printer.note(&format!("{} gets no new connections", args.node));
    }
    if settings.json {
        let status = Client::connect(&run_dir.control_socket())
            .await?
            .call(&GetStatus)
            .await?;
        printer.pretty_json(&NodeReply::new(status, &args.node, Vec::new()))?;
    }
    Ok(Exit::Done)
}

// Private

/// Sends the order to the next supervisor, once there is one.
async fn again(
    run_dir: &RunDir,
    order: &DrainOrder,
    patience: Duration,
) -> Result<Option<String>, ClientError> {
    let deadline = Instant::now() + patience;
    loop {
        let given = match Client::connect(&run_dir.control_socket()).await {
            Ok(client) => client.call(order).await,
            Err(error) => Err(error),
        };
        match given {
            Err(ClientError::Ended | ClientError::NotRunning(_)) if Instant::now() < deadline => {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            given => return given,
        }
    }
}

async fn wait(printer: &Printer, run_dir: &RunDir, args: &args::Drain) -> Result<(), Failure> {
    let patience = args.deadline.duration()
        + if args.close || args.stop {
            CLOSE_TIMEOUT
        } else {
            Duration::ZERO
        };
    let deadline = Instant::now() + patience;
    let line = ProgressLine::new(printer);
    // Elsewhere than on a terminal, each change has a line of its own.
    let show = |text: String| {
        if line.show(text.clone()) && !printer.shows_progress {
            printer.note(&text);
        }
    };
    let mut last = None;
    loop {
        match look(run_dir, &args.node).await {
            Ok(node) if is_done(&node, args) => {
                drop(line);
                let how = if node.state == NodeState::Stopped {
                    "empty and stopped"
                } else {
                    "empty"
                };
                printer.note(&format!("{} is {how}", args.node));
                return Ok(());
            }
            Ok(node) if node.state == NodeState::Up => {
                return Err(Failure::because(format!("`{}` was made ready again", args.node)));
            }
            // The node was made ready again directly at the balancer.
            Ok(Node {
                state: NodeState::Draining,
                reason: Some(reason),
                ..
            }) => {
                return Err(
                    Failure::because(format!("`{}` cannot become empty: {reason}", args.node))
                        .hint(format!("`clusterctl drain {}` drains it again", args.node)),
                );
            }
            Ok(node) => {
                // A draining node gets no new connections: a higher count is a health check of the
                // balancer.
                let left = last.map_or(node.connections, |last| node.connections.min(last));
                show(format!("{} draining: {}", args.node, connections(left)));
                last = Some(left);
            }
            Err(error @ ClientError::Refused(_)) => return Err(error.into()),
            // The order outlives the supervisor, and the next supervisor continues with it.
            Err(_) => show("the supervisor is gone; waiting for another one".to_owned()),
        }
        if Instant::now() >= deadline {
            let left = last.map_or_else(|| "an unknown number of connections".to_owned(), connections);
            return Err(
                Failure::because(format!("`{}` still has {left}", args.node)).hint(
                    "the drain continues; `--close` ends connections that are left at the deadline"
                        .to_owned(),
                ),
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn is_done(node: &Node, args: &args::Drain) -> bool {
    match node.state {
        NodeState::Stopped => true,
        // A node that is empty and not `drained` gets new connections despite the order.
        NodeState::Up | NodeState::Draining => false,
        _ => node.connections == 0 && !args.stop,
    }
}

async fn look(run_dir: &RunDir, name: &str) -> Result<Node, ClientError> {
    let status = Client::connect(&run_dir.control_socket())
        .await?
        .call(&GetStatus)
        .await?;
    let node = status.nodes.into_iter().find(|node| node.name == name);
    node.ok_or_else(|| ClientError::Broken(format!("the supervisor no longer has a node `{name}`")))
}

fn connections(count: u64) -> String {
    format!("{count} connection{}", if count == 1 { "" } else { "s" })
}
