//! `start`: starts the nodes and the balancer, or those that do not run yet.

use std::time::{Duration, Instant};

use super::args;
use super::balancer_name::BalancerName;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::progress::{self, NotServing};
use super::settings::Settings;
use super::startup_warnings::StartupWarnings;
use crate::api::{Client, ClientError, GetProgress, GetStatus, NodeState, Only, Rollout, StartOrder, Status};
use crate::base::telemetry;
use crate::platform::RunDir;
use crate::platform::mark::RunId;
use crate::profile::BalancerKind;
use crate::report;
use crate::supervisor::{
    Launch, PrepareError, Prepared, Presence, Record, detach, end_left_by_dead, living_pids, supervise,
};

/// The time between two queries of the supervisor.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Time for a node to show what it serves, after everything serves.
const REVISIONS_TIMEOUT: Duration = Duration::from_secs(1);

/// Starts the cluster, and returns when all of it serves; with `--foreground` when it is stopped.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Start) -> Outcome {
    let run_dir = settings.run_dir()?;
    // First, so that a mistyped name leaves no directory behind.
    let _named = args.balancer.as_ref().map(BalancerName::kind).transpose()?;
    run_dir.create()?;
    match Presence::of(&run_dir).await? {
        Presence::Running(client) => join(settings, printer, args, &run_dir, &client).await,
        Presence::Orphaned(record) => {
            end_left_by_dead(&record).await.map_err(Failure::new)?;
            let launch = adopting(settings, args, &record)?;
            begin(settings, printer, args, &run_dir, launch, Some(&record)).await
        }
        Presence::Absent => {
            let launch = launch(settings, args)?;
            if let Some(record) = Record::read(&run_dir).map_err(Failure::new)? {
                end_left_by_dead(&record).await.map_err(Failure::new)?;
            }
            begin(settings, printer, args, &run_dir, launch, None).await
        }
    }
}

// Private

fn launch(settings: &Settings, args: &args::Start) -> Result<Launch, Failure> {
    Ok(Launch {
        source: settings.source()?,
        balancer: settings.balancer(args.balancer.as_ref())?,
        only: args.only,
        templates: settings.templates.clone(),
        timeout: args.timeout,
        run_id: RunId::random().map_err(Failure::new)?,
        http_check: None,
    })
}

/// What a dead supervisor was running, and what can therefore be adopted.
fn adopting(settings: &Settings, args: &args::Start, record: &Record) -> Result<Launch, Failure> {
    let was = &record.launch;
    if let Some(balancer) = &args.balancer
        && balancer.kind()? != was.balancer
    {
        return Err(another(was.balancer));
    }
    if settings.names_profile() && !settings.source()?.has_same_content_as(&was.source) {
        return Err(Failure::because(
            "the processes that a killed supervisor left running have another profile",
        )
        .hint(
            "without profile flags `clusterctl start` adopts them; `clusterctl stop` ends them".to_owned(),
        ));
    }
    let only = if args.only == was.only { was.only } else { None };
    // A supervisor of an earlier version recorded none.
    let run_id = if was.run_id.is_known() {
        was.run_id.clone()
    } else {
        RunId::random().map_err(Failure::new)?
    };
    Ok(Launch {
        only,
        timeout: args.timeout,
        run_id,
        ..was.clone()
    })
}

/// Starts a supervisor.
async fn begin(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    run_dir: &RunDir,
    launch: Launch,
    record: Option<&Record>,
) -> Outcome {
    let prepared = match Prepared::new(launch.clone(), run_dir.clone(), &living_pids(record)).await {
        Err(taken @ PrepareError::Taken(_)) => {
            return match Presence::of(run_dir).await? {
                // Another `start` was faster, and the busy ports are our own.
                Presence::Running(client) => join(settings, printer, args, run_dir, &client).await,
                _ => Err(taken.into()),
            };
        }
        prepared => prepared?,
    };
    prepared.install().await?;
    if args.foreground {
        warn(printer, &prepared);
        return in_front(printer, run_dir, launch).await;
    }
    let startup_warnings = StartupWarnings::of(prepared.cluster(), run_dir);
    let exit = detached(settings, printer, args, run_dir, &launch).await?;
    // Not earlier: if a step fails, only its error is to be shown.
    warn(printer, &prepared);
    for warning in startup_warnings.map(StartupWarnings::made).into_iter().flatten() {
        printer.warning(&warning);
    }
    Ok(exit)
}

/// Warns of what the profile requests and does not get.
fn warn(printer: &Printer, prepared: &Prepared) {
    for warning in prepared.warnings() {
        printer.warning(&report::warning(warning));
    }
    for warned in prepared.warned() {
        printer.warning(warned);
    }
}

async fn in_front(printer: &Printer, run_dir: &RunDir, launch: Launch) -> Outcome {
    telemetry::init();
    let supervisor = tokio::spawn(supervise(launch, run_dir.clone()));
    let followed = match reach(run_dir, || supervisor.is_finished()).await {
        Some(client) => progress::outcome(&client).await,
        None => Ok(()),
    };
    supervisor.await.map_err(Failure::new)??;
    // A signal can have ended it before it served; that is not a failure.
    if let Err(NotServing {
        undone: true,
        failure,
    }) = followed
    {
        Err(failure)
    } else {
        printer.note("stopped");
        Ok(Exit::Done)
    }
}

async fn detached(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    run_dir: &RunDir,
    launch: &Launch,
) -> Outcome {
    let mut supervisor = detach(launch, run_dir).map_err(Failure::new)?;
    let reached = tokio::select! {
        reached = reach(run_dir, || !supervisor.identity().is_alive()) => reached,
        failure = progress::interrupted("start") => return Err(failure),
    };
    let Some(client) = reached else {
        return match Presence::of(run_dir).await? {
            // Another `start` was faster.
            Presence::Running(client) => join(settings, printer, args, run_dir, &client).await,
            _ => Err(Failure::because("the supervisor ended right after its start")
                .hint("`clusterctl logs supervisor` shows why".to_owned())),
        };
    };
    if let Err(failure) = progress::attend("start", &client, run_dir, printer).await {
        if failure.undone {
            // Nothing that was begun is left when this returns.
            let _ended = supervisor.ended().await;
        }
        return Err(failure.into());
    }
    serves(settings, printer, &client, "is running").await
}

/// Joins a running cluster: starts the parts that do not run yet.
async fn join(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    run_dir: &RunDir,
    client: &Client,
) -> Outcome {
    if client.call(&GetProgress).await?.rollout == Rollout::Running {
        // Another `start` or a restart is still in progress.
        progress::attend("start", client, run_dir, printer).await?;
    }
    let status = client.call(&GetStatus).await?;
    let running = status.balancer.as_ref().map(|balancer| balancer.kind);
    let wanted = args
        .balancer
        .as_ref()
        .map_or_else(|| Ok(running), |name| name.kind().map(Some))?;
    if settings.names_profile() && runs_another_profile(settings, run_dir)? {
        printer.warning("the cluster runs with another profile; `clusterctl reload` applies this one");
    }
    match (running, wanted) {
        (Some(running), Some(wanted)) if running != wanted => Err(another(running)),
        (_, Some(balancer)) if lacks(&status, args.only) => {
            client
                .call(&StartOrder {
                    balancer,
                    only: args.only,
                })
                .await?;
            progress::attend("start", client, run_dir, printer).await?;
            serves(settings, printer, client, "is running").await
        }
        _ => serves(settings, printer, client, "is already running").await,
    }
}

fn runs_another_profile(settings: &Settings, run_dir: &RunDir) -> Result<bool, Failure> {
    let record = Record::read(run_dir).map_err(Failure::new)?;
    let source = settings.source()?;
    Ok(record.is_some_and(|record| !source.has_same_content_as(&record.launch.source)))
}

/// Whether a wanted half of the cluster was not started.
fn lacks(status: &Status, only: Option<Only>) -> bool {
    let no_balancer = status
        .balancer
        .as_ref()
        .is_none_or(|balancer| balancer.state == crate::api::BalancerState::Stopped);
    let no_node = status.nodes.iter().all(|node| node.pid.is_none());
    (no_balancer && only != Some(Only::Nodes)) || (no_node && only != Some(Only::Balancer))
}

/// Prints which addresses are served.
async fn serves(settings: &Settings, printer: &Printer, client: &Client, how: &str) -> Outcome {
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
    Ok(Exit::Done)
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

/// The supervisor, as soon as it listens; `None` when it has ended before.
async fn reach(run_dir: &RunDir, has_ended: impl Fn() -> bool) -> Option<Client> {
    loop {
        match Client::connect(&run_dir.control_socket()).await {
            Ok(client) => return Some(client),
            Err(ClientError::NotRunning(_)) if !has_ended() => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            Err(_) => return None,
        }
    }
}

fn another(running: BalancerKind) -> Failure {
    Failure::because(format!("the cluster is running with {running}"))
        .hint("`clusterctl stop` ends it".to_owned())
}
