//! What a supervisor is to run: what the flags name, or what another supervisor has left running.

use super::manager;
use crate::cli::args;
use crate::cli::balancer_name::BalancerName;
use crate::cli::failure::Failure;
use crate::cli::lost_state;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::platform::mark::RunId;
use crate::profile::{BalancerKind, NodeIds, Resolved};
use crate::supervisor::{Launch, Lost, Record};

pub(super) fn launch(settings: &Settings, args: &args::Start) -> Result<Launch, Failure> {
    Ok(Launch {
        source: settings.source()?,
        balancer: settings.balancer(args.balancer.as_ref())?,
        only: args.only,
        templates: settings.templates.clone(),
        timeout: args.timeout,
        announce: args.announce.unwrap_or_default(),
        over: args.over.unwrap_or_default(),
        run_id: RunId::random().map_err(Failure::new)?,
        http_check: None,
        sockets: 0,
        generation: 0,
        ids: NodeIds::default(),
        previous: None,
        others: Vec::new(),
        resolved: Resolved::new(),
    })
}

/// What a dead supervisor was running, and what can therefore be adopted.
pub(super) fn adopting(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    record: &Record,
) -> Result<Launch, Failure> {
    let was = &record.launch;
    if let Some(balancer) = &args.balancer
        && balancer.kind()? != was.balancer
    {
        // The service manager repeats its command line, while a switch may have replaced the
        // balancer since.
        if manager(args).is_none() {
            return Err(another(was.balancer));
        }
        printer.warning(&format!(
            "the cluster is running with {}; a stop and a start of this service begin with {}",
            was.balancer,
            balancer.kind()?
        ));
    }
    if manager(args).is_some() {
        // The service manager repeats its command line, while the file or an order may have changed
        // the profile since.
        if runs_another_profile_than(settings, was) {
            printer.warning(
                "the processes that run have another profile; `clusterctl reload` applies the one of this service",
            );
        }
    } else if settings.names_profile() && !settings.source()?.has_same_content_as(&was.source) {
        return Err(Failure::because(
            "the processes that a killed supervisor left running have another profile",
        )
        .hint(
            "without profile flags `clusterctl start` adopts them; `clusterctl stop` ends them".to_owned(),
        ));
    }
    relaunch(args, record)
}

/// What is to run where a cluster has died as a whole, as when the host went down: the same again,
/// unless the flags name another profile.
pub(super) fn starting_again(
    settings: &Settings,
    printer: &Printer,
    args: &args::Start,
    record: &Record,
) -> Result<Launch, Failure> {
    // The service manager repeats its command line.
    if manager(args).is_some() || settings.names_profile() {
        return launch(settings, args);
    }
    let was = &record.launch;
    let balancer = args
        .balancer
        .as_ref()
        .map_or(Ok(was.balancer), BalancerName::kind)?;
    printer.note("the cluster died, and was not stopped: it starts again with the profile that it had");
    Ok(Launch {
        balancer,
        only: args.only.or(was.only),
        templates: settings.templates.clone().or_else(|| was.templates.clone()),
        ..relaunch(args, record)?
    })
}

/// What a supervisor was running, for the next one.
pub(super) fn relaunch(args: &args::Start, record: &Record) -> Result<Launch, Failure> {
    let was = &record.launch;
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
        announce: args.announce.unwrap_or_default(),
        over: args.over.unwrap_or_default(),
        run_id,
        ..was.clone()
    })
}

/// What runs although its state file cannot be used, and can therefore be adopted.
pub(super) fn adopting_lost(settings: &Settings, args: &args::Start, lost: &Lost) -> Result<Launch, Failure> {
    let found = &lost.found;
    let mut launch = launch(settings, args)?;
    if let Some(running) = found.balancer() {
        if args.balancer.is_some() && launch.balancer != running && manager(args).is_none() {
            return Err(another(running));
        }
        launch.balancer = running;
    }
    if let Some(why) = lost_state::misfit(&launch, found)? {
        return Err(why);
    }
    if !found.children.is_empty() && args.only != found.half() {
        launch.only = None;
    }
    if found.run_id.is_known() {
        launch.run_id = found.run_id.clone();
    }
    launch.generation = found.generation;
    Ok(launch)
}

pub(super) fn another(running: BalancerKind) -> Failure {
    Failure::because(format!("the cluster is running with {running}"))
        .hint("`clusterctl stop` ends it".to_owned())
}

// Private

/// Whether the flags name another profile than that of `launch`; one that cannot be read is another.
fn runs_another_profile_than(settings: &Settings, launch: &Launch) -> bool {
    let source = settings.source();
    settings.names_profile() && !source.is_ok_and(|source| source.has_same_content_as(&launch.source))
}
