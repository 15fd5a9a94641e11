//! `start`: starts the nodes and the balancer, or those that do not run yet.

mod in_front;
mod launching;
mod serves;

use std::collections::BTreeSet;
use std::time::Duration;

use self::in_front::in_front;
use self::launching::{adopting, adopting_lost, another, launch, relaunch, starting_again};
use self::serves::serves;
use super::args;
use super::balancer_name::BalancerName;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::lost_state;
use super::printer::Printer;
use super::progress;
use super::settings::Settings;
use super::startup_warnings::StartupWarnings;
use super::upgrade::{Upgrade, Upgraded};
use crate::api::{
    BalancerState, Client, ClientError, GetProgress, GetStatus, Only, ProgressState, StartOrder, Status,
};
use crate::platform::RunDir;
use crate::platform::service_manager::ServiceManager;
use crate::report;
use crate::supervisor::{
    Launch, PrepareError, Prepared, Presence, Record, SavedSwitch, StopSignals, detach, end_left_by_dead,
    living_pids,
};

/// The time between two queries of the supervisor.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Starts the cluster, and returns when all of it serves; with `--foreground` when it is stopped.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Start) -> Outcome {
    let mut signals = signals_to(args)?;
    let run_dir = settings.run_dir()?;
    // First, so that a mistyped name leaves no directory behind.
    let _named = args.balancer.as_ref().map(BalancerName::kind).transpose()?;
    run_dir.create()?;
    let presence = tokio::select! {
        presence = Presence::of(&run_dir) => presence?,
        () = next(&mut signals) => return Ok(stopped(printer)),
    };
    match presence {
        Presence::Running(_) if manager(args).is_some() => Err(not_ours(&run_dir)),
        Presence::Running(client) => tokio::select! {
            biased;
            joined = join(settings, printer, args, &run_dir, &client) => joined,
            () = next(&mut signals) => {
                Err(Failure::because("interrupted, and the cluster runs on").exit(Exit::Interrupted))
            }
        },
        Presence::Orphaned(record) => {
            let launch = adopting(settings, printer, args, &record)?;
            adopt(settings, printer, args, &run_dir, launch, &record, signals).await
        }
        Presence::Lost(lost) => {
            lost_state::warn_before_start(printer, &lost, &run_dir);
            let launch = adopting_lost(settings, args, &lost)?;
            let ours = lost.found.pids();
            begin(settings, printer, args, &run_dir, launch, &ours, signals).await
        }
        Presence::Absent => {
            if let Some(record) = Record::read(&run_dir).map_err(Failure::new)? {
                let launch = starting_again(settings, printer, args, &record)?;
                return adopt(settings, printer, args, &run_dir, launch, &record, signals).await;
            }
            let launch = launch(settings, args)?;
            begin(
                settings,
                printer,
                args,
                &run_dir,
                launch,
                &BTreeSet::new(),
                signals,
            )
            .await
        }
    }
}

// Private

/// Starts a supervisor that adopts what another one has left running, if any of it still runs.
async fn adopt(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    run_dir: &RunDir,
    launch: Launch,
    record: &Record,
    signals: Option<StopSignals>,
) -> Outcome {
    end_left_by_dead(&record.into()).await.map_err(Failure::new)?;
    let ours = living_pids(Some(record));
    let begun = begin(settings, printer, args, run_dir, launch, &ours, signals).await?;
    if let Some(SavedSwitch {
        from,
        to,
        has_taken_over,
    }) = record.unfinished_switch()
    {
        let what = if from == to {
            format!("the replacement of {from}'s processes")
        } else {
            format!("the switch from {from} to {to}")
        };
        let outcome = if has_taken_over { "finished" } else { "undone" };
        printer.note(&format!(
            "{what}, which a killed supervisor had begun, was {outcome}"
        ));
    }
    Ok(begun)
}

/// Starts a supervisor; the processes in `ours` run already.
async fn begin(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    run_dir: &RunDir,
    launch: Launch,
    ours: &BTreeSet<u32>,
    mut signals: Option<StopSignals>,
) -> Outcome {
    let prepared = tokio::select! {
        prepared = Prepared::new(launch, run_dir.clone(), ours) => prepared,
        // What runs has to be adopted before it can be stopped.
        () = next(&mut signals), if ours.is_empty() => return Ok(stopped(printer)),
    };
    let prepared = match prepared {
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
    let launch = prepared.launch().clone();
    if let Some(signals) = signals {
        warn(printer, &prepared);
        return in_front(settings, printer, args, run_dir, launch, signals).await;
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

/// The signals to a start in front, which stop the cluster from the first moment on.
fn signals_to(args: &args::Start) -> Result<Option<StopSignals>, Failure> {
    let signals = args.foreground.then(StopSignals::listen);
    signals.transpose().map_err(Failure::new)
}

/// Waits for a signal to a start in front.
async fn next(signals: &mut Option<StopSignals>) {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

/// A signal has ended the start before anything ran.
fn stopped(printer: &Printer) -> Exit {
    printer.note("stopped");
    Exit::Done
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

fn not_ours(run_dir: &RunDir) -> Failure {
    let path = run_dir.path().display();
    Failure::because(format!(
        "a supervisor that is not of this service runs in `{path}`"
    ))
    .hint(format!("`clusterctl stop --run-dir {path}` stops its cluster"))
}

/// Why a supervisor ended before it listened: its log has the reason, unless nothing can be written.
fn ended_at_once(run_dir: &RunDir) -> Failure {
    let error = "the supervisor ended right after its start";
    match run_dir.try_write() {
        Ok(()) => Failure::because(error).hint("`clusterctl logs supervisor` shows why".to_owned()),
        Err(why) => Failure::because(format!(
            "{error}: cannot write to `{}`: {why}",
            run_dir.path().display()
        )),
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
            _ => Err(ended_at_once(run_dir)),
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

/// Joins a running cluster: upgrades its supervisor, and starts the parts that do not run yet.
async fn join(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    run_dir: &RunDir,
    client: &Client,
) -> Outcome {
    if client.call(&GetProgress).await?.outcome == ProgressState::Running {
        // Another `start` or a restart is still in progress.
        progress::attend("start", client, run_dir, printer).await?;
    }
    let status = client.call(&GetStatus).await?;
    let running = status.balancer.as_ref().map(|balancer| balancer.kind);
    let wanted = args
        .balancer
        .as_ref()
        .map_or_else(|| Ok(running), |name| name.kind().map(Some))?;
    if settings.names_profile() && runs_another_profile(settings, run_dir).await? {
        printer.warning("the cluster runs with another profile; `clusterctl reload` applies this one");
    }
    if let (Some(running), Some(wanted)) = (running, wanted)
        && running != wanted
    {
        return Err(another(running).hint(format!("`clusterctl switch {wanted}` lets {wanted} take over")));
    }
    let upgrade = Upgrade {
        printer,
        run_dir,
        client,
        status: &status,
        timeout: args.timeout.duration(),
    };
    let replaced;
    let client = match upgrade.run(|record| relaunch(args, record)).await? {
        Upgraded::Same => client,
        Upgraded::Replaced(client) => {
            replaced = client;
            &replaced
        }
        Upgraded::Ended => return Box::pin(succeed(settings, printer, args, run_dir)).await,
    };
    match wanted {
        Some(balancer) if lacks(&status, args.only) => {
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

/// Starts a supervisor in place of one that was ended for it.
async fn succeed(settings: &Settings, printer: &Printer, args: &args::Start, run_dir: &RunDir) -> Outcome {
    match Presence::of(run_dir).await? {
        Presence::Orphaned(record) => {
            let launch = relaunch(args, &record)?;
            adopt(
                settings,
                printer,
                args,
                run_dir,
                launch,
                &record,
                signals_to(args)?,
            )
            .await
        }
        // Another `start` was faster.
        Presence::Running(client) => join(settings, printer, args, run_dir, &client).await,
        Presence::Absent | Presence::Lost(_) => Err(Failure::because(
            "the cluster has ended together with its supervisor",
        )
        .hint("`clusterctl start` starts it".to_owned())),
    }
}

async fn runs_another_profile(settings: &Settings, run_dir: &RunDir) -> Result<bool, Failure> {
    let record = Record::of_running(run_dir).await.map_err(Failure::new)?;
    let source = settings.source()?;
    Ok(record.is_some_and(|record| !source.has_same_content_as(&record.launch.source)))
}

/// Whether a wanted half of the cluster was not started.
fn lacks(status: &Status, only: Option<Only>) -> bool {
    let no_balancer = status
        .balancer
        .as_ref()
        .is_none_or(|balancer| matches!(balancer.state, BalancerState::Stopped | BalancerState::Failed));
    let no_node = status.nodes.iter().all(|node| node.pid.is_none());
    (no_balancer && only != Some(Only::Nodes)) || (no_node && only != Some(Only::Balancer))
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

/// The service manager that started this command and waits for its notifications.
fn manager(args: &args::Start) -> Option<ServiceManager> {
    ServiceManager::of_this_process().filter(|_| args.foreground)
}
