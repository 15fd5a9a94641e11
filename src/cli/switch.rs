//! `switch`: another balancer takes over the listeners; established connections finish at the
//! former one.

use std::time::{Duration, Instant};

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::interrupt;
use super::printer::Printer;
use super::progress_line::ProgressLine;
use super::settings::Settings;
use crate::api::{Client, ClientError, FormerBalancer, GetStatus, SwitchOrder, Switched};
use crate::report;

/// A switch that takes longer shows its progress.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// Shows what changes, and returns when the other balancer has taken over.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Switch) -> Outcome {
    // First, so that a mistyped name is a usage error whether a cluster runs or not.
    let balancer = args.balancer.kind()?;
    let client = Client::connect(&settings.run_dir()?.control_socket()).await?;
    let planned = SwitchOrder {
        balancer,
        deadline: args.deadline,
        dry_run: true,
    };
    let order = SwitchOrder {
        dry_run: false,
        ..planned
    };
    let planned = client.call(&planned).await.map_err(explained)?;
    if args.dry_run {
        if settings.json {
            printer.pretty_json(&planned)?;
        } else {
            printer.data(&report::switch_plan(&planned))?;
        }
        return Ok(Exit::Done);
    }
    for sentence in &planned.plan {
        printer.note(sentence);
    }
    let switched = tokio::select! {
        switched = client.call(&order) => switched.map_err(explained)?,
        failure = interrupted() => return Err(failure),
        never = show_progress(printer, &planned) => match never {},
    };
    if settings.json {
        printer.pretty_json(&switched)?;
    } else {
        let former = former(&client).await;
        printer.note(&report::switched(&switched, &former, args.deadline));
    }
    Ok(Exit::Done)
}

// Private

/// The failure of an order to switch.
fn explained(error: ClientError) -> Failure {
    match error {
        ClientError::UnknownCall(_) => {
            Failure::because("the running supervisor is of an older version, which cannot switch")
                .hint("`clusterctl start` upgrades it".to_owned())
        }
        ClientError::Ended => Failure::new(error)
            .exit(Exit::Unclear)
            .hint("`clusterctl start` finishes the switch, or undoes it".to_owned()),
        error => error.into(),
    }
}

/// Waits for Ctrl-C, which does not end a switch that has begun.
async fn interrupted() -> Failure {
    interrupt::leaves_running("switch", "`clusterctl status` shows which balancer serves").await
}

/// Shows how long the switch has taken, once that is long enough to be noticed.
async fn show_progress(printer: &Printer, planned: &Switched) -> std::convert::Infallible {
    let began = Instant::now();
    tokio::time::sleep(SHOWN_AFTER).await;
    let line = ProgressLine::new(printer);
    loop {
        let Switched { from, to, .. } = planned;
        let seconds = began.elapsed().as_secs();
        line.show(format!("switching from {from} to {to}: {seconds}s"));
        tokio::time::sleep(SHOWN_AFTER).await;
    }
}

/// All former balancer processes. They only complete a message, so that an error does not matter.
async fn former(client: &Client) -> Vec<FormerBalancer> {
    let status = client.call(&GetStatus).await.ok();
    let balancer = status.and_then(|status| status.balancer);
    balancer.map_or_else(Vec::new, |balancer| balancer.former)
}
