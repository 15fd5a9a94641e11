//! `rebalance`: closes connections of nodes that hold more than their share.

use std::time::Duration;

use serde::Serialize;

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::interrupt;
use super::operator::operator;
use super::printer::Printer;
use super::progress_line::ProgressLine;
use super::settings::Settings;
use crate::api::{
    Client, ClientError, EndedRebalance, GetRebalance, Rebalance, RebalanceOrder, RebalancePlan,
    RebalanceResult, Rebalances,
};
use crate::report;

/// The time between two queries of the progress.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How far the rebalance of this command is.
#[derive(Debug)]
enum Stage {
    InProgress(Rebalance),
    Ended(EndedRebalance),
}

/// The answer in JSON.
#[derive(Serialize)]
struct Reply {
    plan: RebalancePlan,
    /// Null if nothing was closed.
    ended: Option<EndedRebalance>,
}

/// Shows the plan, and returns when the nodes are even.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Rebalance) -> Outcome {
    let run_dir = settings.run_dir()?;
    let client = Client::connect(&run_dir.control_socket()).await?;
    let order = RebalanceOrder {
        to: args.to,
        over: args.over,
        streams: args.streams,
        dry_run: args.dry_run,
        by: operator(),
    };
    let plan = client.call(&order).await.map_err(explained)?;
    if args.dry_run && !settings.json {
        printer.data(&report::rebalance_plan(&plan, args.to))?;
    } else if !settings.json {
        printer.note(&report::rebalance_plan(&plan, args.to));
    }
    let ended = if plan.begun {
        tokio::select! {
            ended = follow(&client, &order.by, printer) => Some(ended?),
            failure = interrupted() => return Err(failure),
        }
    } else {
        None
    };
    let failure = failure(&plan, ended.as_ref());
    if let Some(ended) = ended.as_ref().filter(|_| !settings.json) {
        printer.note(&report::rebalance_ended(ended));
    }
    if settings.json {
        printer.pretty_json(&Reply { plan, ended })?;
    }
    failure.map_or(Ok(Exit::Done), Err)
}

// Private

/// Why the nodes are not even, or will not be.
fn failure(plan: &RebalancePlan, ended: Option<&EndedRebalance>) -> Option<Failure> {
    if !plan.impossible.is_empty() {
        let because = plan.impossible.join("; ");
        // One node cannot differ from others, so a larger `--to` does not help.
        let hint = (plan.nodes.len() > 1).then(|| {
            let possible = (plan.after_percent / 10.0).floor() * 10.0 + 10.0;
            format!("`clusterctl rebalance --to {possible}%` accepts a larger difference")
        });
        return Some(
            Failure::because(format!(
                "nothing is closed, because the nodes cannot become even: {because}"
            ))
            .hint(hint),
        );
    }
    let ended = ended.filter(|ended| ended.result != RebalanceResult::Even)?;
    let reason = ended.reason.as_deref().unwrap_or("unknown reason");
    Some(Failure::because(match ended.result {
        RebalanceResult::Aborted => format!("the rebalance was aborted: {reason}"),
        RebalanceResult::Even | RebalanceResult::Uneven => format!("the nodes are not even: {reason}"),
    }))
}

fn explained(error: ClientError) -> Failure {
    match error {
        ClientError::UnknownCall(_) => {
            Failure::because("the running supervisor is of an older version, which cannot rebalance")
                .hint("`clusterctl start` upgrades it".to_owned())
        }
        error => error.into(),
    }
}

/// Shows how far the rebalance `by` this operator is, until it is over.
async fn follow(client: &Client, by: &str, printer: &Printer) -> Result<EndedRebalance, Failure> {
    let line = ProgressLine::new(printer);
    loop {
        let seen = client
            .call(&GetRebalance)
            .await
            .map_err(|error| unclear(Failure::new(error)))?;
        match stage(seen, by)? {
            Stage::InProgress(Rebalance { planned, figures, .. }) => {
                let counts: Vec<String> = figures
                    .nodes
                    .iter()
                    .map(|it| it.connections.to_string())
                    .collect();
                let returning = match figures.returning {
                    0 => String::new(),
                    returning => format!("; {returning} clients are not back yet"),
                };
                line.show(format!(
                    "closed {} of {planned}: {} connections, {}% apart{returning}",
                    figures.closed,
                    counts.join("/"),
                    figures.variance_percent
                ));
            }
            Stage::Ended(ended) => return Ok(ended),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The stage of the rebalance `by` this operator. A supervisor that has replaced another one does
/// not know it, but may have rebalances of other operators.
fn stage(seen: Rebalances, by: &str) -> Result<Stage, Failure> {
    let ended = seen.last.filter(|it| it.by == by).map(Stage::Ended);
    let current = seen.current.filter(|it| it.by == by).map(Stage::InProgress);
    ended.or(current).ok_or_else(|| {
        unclear(Failure::because(
            "the supervisor was replaced, and has no rebalance",
        ))
    })
}

/// How the rebalance has ended is not known.
fn unclear(failure: Failure) -> Failure {
    failure
        .exit(Exit::Unclear)
        .hint("nothing more is closed by a supervisor that has ended".to_owned())
}

/// Waits for Ctrl-C, which does not end a rebalance that has begun.
async fn interrupted() -> Failure {
    interrupt::leaves_running(
        "rebalance",
        "`clusterctl status` shows the connections of the nodes",
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RebalanceFigures;

    fn current(by: &str) -> Rebalance {
        Rebalance {
            by: by.to_owned(),
            since: String::new(),
            planned: 2,
            per_second: 1,
            figures: RebalanceFigures::default(),
        }
    }

    fn ended(by: &str) -> EndedRebalance {
        EndedRebalance {
            by: by.to_owned(),
            since: String::new(),
            ended: String::new(),
            result: RebalanceResult::Even,
            reason: None,
            planned: 2,
            per_second: 1,
            figures: RebalanceFigures::default(),
        }
    }

    #[test]
    fn only_the_rebalance_of_this_command_is_followed() {
        let seen = |current, last| stage(Rebalances { current, last }, "me");
        let other = || Some(ended("another"));
        assert!(matches!(
            seen(Some(current("me")), other()),
            Ok(Stage::InProgress(_))
        ));
        let after = seen(Some(current("another")), Some(ended("me")));
        assert!(matches!(after, Ok(Stage::Ended(_))));
        for (current, last) in [
            (None, None),
            (None, other()),
            (Some(current("another")), None),
            (Some(current("another")), other()),
        ] {
            assert_eq!(seen(current, last).unwrap_err().exit, Exit::Unclear);
        }
    }
}
