//! `export systemd`: a unit that runs the cluster.

use std::path::Path;

use super::{STARTS_WITHIN, print, program, stops_within, write};
use crate::balancer::FilesError;
use crate::cli::args;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::plan::descriptors;
use crate::platform::{Host, RunDir};
use crate::profile::Cluster;
use crate::render::Service;

pub(super) fn run(settings: &Settings, printer: &Printer, args: &args::ExportSystemd) -> Outcome {
    let kind = settings.balancer(args.balancer.as_ref())?;
    let cluster = settings.cluster()?.behind(kind);
    let run_dir = run_dir(settings, &cluster);
    run_dir.try_path()?;
    let program = program()?;
    let flags = settings.flags(&run_dir)?;
    let command = |words: &[&str]| -> Vec<String> {
        let program = std::iter::once(program.to_string_lossy().into_owned());
        let words = words.iter().map(|word| (*word).to_owned());
        program.chain(words).chain(flags.clone()).collect()
    };
    let (announce, over) = (args.stop.announce.to_string(), args.stop.over.to_string());
    let words = [
        "start",
        kind.name(),
        "--foreground",
        "--announce",
        &announce,
        "--over",
        &over,
    ];
    let service = Service {
        cluster: &cluster,
        user: &args.user,
        run_dir: run_dir.path(),
        start: command(&words),
        reload: command(&["reload"]),
        directory: settings
            .sets_values()
            .then(std::env::current_dir)
            .transpose()
            .map_err(Failure::new)?,
        reads: settings.files().into_iter().chain([program.clone()]).collect(),
        starts_within: STARTS_WITHIN,
        stops_within: stops_within(&args.stop),
        nofile: descriptors(&cluster, &Host::read()),
    };
    let text = service.render(&settings.templates()).map_err(FilesError::from)?;
    let directory = args.output.iter();
    let written = directory.map(|directory| write(directory, &service.unit(), &text));
    let written = written.collect::<Result<_, _>>()?;
    print(settings, printer, &service.unit(), text, written)
}

// Private

/// The run directory that was named, or the one of root: systemd makes it for the service's user.
fn run_dir(settings: &Settings, cluster: &Cluster) -> RunDir {
    let named = settings.named_run_dir();
    named.unwrap_or_else(|| RunDir::at(Path::new("/run/clusterctl").join(&cluster.name)))
}
