//! `reload`: applies the current profile without losing a connection, or goes back to the former
//! one.

use super::args;
use super::change::{Change, Outcome as Changing, RESUME, UNDO, declined};
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::reply::ReloadReply;
use super::serving::settled;
use super::settings::Settings;
use crate::api::{Client, ClientError, NodeState, Target};
use crate::profile::{Source, difference, overridden};
use crate::report;
use crate::supervisor::Record;

/// Shows what is different, and returns when it is in force.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Reload) -> Outcome {
    reload(settings, printer, args, printer.can_ask()).await
}

/// Does the same without a person who could answer: no connection is closed.
pub(super) async fn unattended(settings: &Settings, printer: &Printer) -> Outcome {
    reload(settings, printer, &args::Reload::default(), false).await
}

// Private

async fn reload(settings: &Settings, printer: &Printer, args: &args::Reload, can_ask: bool) -> Outcome {
    let run_dir = settings.run_dir()?;
    let client = Client::connect(&run_dir.control_socket()).await?;
    let record = Record::of_running(&run_dir).await.map_err(Failure::new)?;
    let running = record
        .map(|record| record.launch)
        .ok_or_else(|| Failure::because("the cluster is being stopped"))?;
    let wanted = if args.undo {
        refuse_profile(settings)?;
        None
    } else {
        Some(settings.source_over(&running.source)?)
    };
    let differences = match &wanted {
        Some(source) => difference(&running.source, source)?,
        None => Vec::new(),
    };
    let target = match &wanted {
        Some(source) => Target::Profile {
            source: source.clone(),
            templates: settings.templates.clone().or(running.templates),
        },
        None => Target::Undo,
    };
    let change = Change {
        target,
        verb: "reload",
        planning: args.planning,
        closing: args.closing,
        force: false,
        can_ask,
        resume: RESUME,
        undo: UNDO,
    };
    let changed = match change.carry_out(settings, printer, &run_dir, &client).await? {
        Changing::Planned(exit) => return Ok(exit),
        Changing::Declined => return Ok(declined(printer)),
        Changing::Done(changed) => changed,
    };
    warn_of_overrides(&client, printer).await?;
    if let Some(source) = &wanted {
        if let Some(warning) = overridden(source) {
            printer.warning(&warning);
        }
        warn_if_changed_again(printer, source);
    }
    if settings.json {
        let profile = differences.iter().map(ToString::to_string).collect();
        printer.pretty_json(&ReloadReply::new(changed, profile))?;
        return Ok(Exit::Done);
    }
    let done = if args.undo { "undone" } else { "reloaded" };
    let what = match (report::changed_nodes(&changed.plan), changed.pid) {
        (Some(nodes), _) => nodes,
        (None, Some(pid)) => format!("pid {pid} takes new connections"),
        (None, None) => "nothing changes for the balancer".to_owned(),
    };
    printer.note(&format!("{done}: {what}"));
    Ok(Exit::Done)
}

/// Changes that were made directly at the balancer are transferred to its new process, and can keep
/// nodes from serving.
async fn warn_of_overrides(client: &Client, printer: &Printer) -> Result<(), ClientError> {
    let status = settled(client, |_| false).await?;
    let away = status
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Maintenance);
    for node in away {
        let reason = node.reason.as_deref().unwrap_or("taken out at the balancer");
        printer.warning(&format!("{} gets no new connections: {reason}", node.name));
    }
    for problem in status.balancer.iter().flat_map(|balancer| &balancer.overrides) {
        printer.warning(problem);
    }
    Ok(())
}

/// What ran before is known, so that no other profile can be given.
fn refuse_profile(settings: &Settings) -> Result<(), Failure> {
    if settings.sets_values() || !settings.files().is_empty() {
        return Err(
            Failure::usage("`--undo` goes back to the former profile, and takes no other one")
                .hint("leave out `--profile`, `--set` and `--templates`".to_owned()),
        );
    }
    Ok(())
}

/// A long rollout leaves time to edit the file again.
fn warn_if_changed_again(printer: &Printer, source: &Source) {
    // A pipe cannot be read again, and a file may have been removed.
    if let Ok(now) = source.read_again()
        && now.text != source.text
    {
        printer.warning(&format!(
            "`{}` has changed meanwhile: `clusterctl reload` applies that, too",
            source.name
        ));
    }
}
