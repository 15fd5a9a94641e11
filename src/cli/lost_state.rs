//! A state file that cannot be used: what that means for each command.

use super::failure::Failure;
use super::printer::Printer;
use crate::plan::plan;
use crate::platform::{Host, RunDir};
use crate::profile;
use crate::supervisor::{Launch, Lost, Marked, RecordError};

/// Warns before a start that adopts what runs.
pub(super) fn warn_before_start(printer: &Printer, lost: &Lost, run_dir: &RunDir) {
    let Lost { why, found } = lost;
    if found.children.is_empty() {
        printer.warning(&format!("{why}; no process of its cluster runs"));
    } else {
        printer.warning(&format!(
            "{why}; the processes that run are adopted: {}",
            names(found)
        ));
        printer.warning(
            "drains that were in force are lost with it, and their nodes get clients: `clusterctl drain NODE` \
             orders one again",
        );
    }
    note_kept(printer, why, run_dir);
}

/// Warns before a stop that ends what runs.
pub(super) fn warn_before_stop(printer: &Printer, lost: &Lost, run_dir: &RunDir) {
    printer.warning(&doubt(lost, "they are ended"));
    note_kept(printer, &lost.why, run_dir);
}

/// What the status says instead of the state of a cluster without supervisor.
pub(super) fn status(lost: &Lost) -> String {
    let both = "`clusterctl start` adopts them, `clusterctl stop` ends them";
    doubt(lost, &format!("they may serve: {both}"))
}

/// Why the processes that were `found` cannot be adopted as those of `launch`, if that shows.
pub(super) fn misfit(launch: &Launch, found: &Marked) -> Result<Option<Failure>, Failure> {
    let cluster = profile::load(&launch.source)?.behind(launch.balancer);
    let plan = plan(&cluster, launch.balancer, &Host::read());
    Ok(found.misfit(&cluster, &plan).map(|why| {
        Failure::because(format!(
            "the processes that run are not those of this profile: {why}"
        ))
        .hint(
            "start with the profile and the flags of the cluster that runs; `clusterctl stop` ends its processes"
                .to_owned(),
        )
    }))
}

// Private

fn doubt(lost: &Lost, what_follows: &str) -> String {
    let Lost { why, found } = lost;
    if found.children.is_empty() {
        format!("{why}; no process of its cluster runs")
    } else {
        format!(
            "{why}; the supervisor died, and these processes run: {}; {what_follows}",
            names(found)
        )
    }
}

fn names(found: &Marked) -> String {
    let names = found.children.iter().map(|child| {
        let (name, pid) = (&child.name, child.process.pid);
        format!("{name} (pid {pid})")
    });
    names.collect::<Vec<_>>().join(", ")
}

fn note_kept(printer: &Printer, why: &RecordError, run_dir: &RunDir) {
    if !matches!(why, RecordError::Missing(_)) {
        printer.note(&format!(
            "the file is kept as `{}`",
            run_dir.broken_state_file().display()
        ));
    }
}
