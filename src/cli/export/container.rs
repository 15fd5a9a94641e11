//! `export container`: a Containerfile for an image that runs the cluster.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{STARTS_WITHIN, print, program, stops_within, write};
use crate::balancer::FilesError;
use crate::cli::args;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::plan::descriptors;
use crate::platform::{Host, RunDir};
use crate::render::{Image, ImageFile};

const CONTAINERFILE: &str = "Containerfile";
/// Where the image has the profile and the templates.
const FILES: &str = "/etc/clusterctl";
const RUN_DIRS: &str = "/run/clusterctl";

pub(super) fn run(settings: &Settings, printer: &Printer, args: &args::ExportContainer) -> Outcome {
    let kind = settings.balancer(args.balancer.as_ref())?;
    let cluster = settings.cluster()?.behind(kind);
    let run_dir = RunDir::at(Path::new(RUN_DIRS).join(&cluster.name));
    run_dir.try_path()?;
    // Also refuses profiles that cannot be read again.
    settings.flags(&run_dir)?;
    let files = files(settings, program()?);
    let inside = settings.with_files_in(Path::new(FILES));
    let mut packages: BTreeSet<String> = args.with.iter().cloned().collect();
    let needed = [kind.facts().packages, cluster.runtime.packages()];
    let needed = needed.into_iter().flatten().flat_map(str::split_whitespace);
    packages.extend(needed.map(str::to_owned));
    let image = Image {
        cluster: &cluster,
        balancer: kind,
        run_dir: run_dir.path(),
        announce: args.stop.announce,
        over: args.stop.over,
        flags: inside.flags(&run_dir)?,
        packages: packages.into_iter().collect(),
        files: &files,
        starts_within: STARTS_WITHIN,
        stops_within: stops_within(&args.stop),
        nofile: descriptors(&cluster, &Host::read()),
    };
    let text = image.render(&settings.templates()).map_err(FilesError::from)?;
    let written = match &args.output {
        None => Vec::new(),
        Some(directory) => write_context(directory, &files, &text)?,
    };
    if let Some(hint) = image.unreachable() {
        printer.warning(&hint);
    }
    print(settings, printer, CONTAINERFILE, text, written)
}

// Private

/// The files that the image gets from this host.
fn files(settings: &Settings, program: PathBuf) -> Vec<ImageFile> {
    let mut files = vec![ImageFile {
        from: program,
        name: "clusterctl",
        to: PathBuf::from("/clusterctl"),
    }];
    let inside = |name| Path::new(FILES).join(name);
    files.extend(settings.profile_file().map(|from| ImageFile {
        from,
        name: Settings::PROFILE,
        to: inside(Settings::PROFILE),
    }));
    files.extend(settings.templates.clone().map(|from| ImageFile {
        from,
        name: Settings::TEMPLATES,
        to: inside(Settings::TEMPLATES),
    }));
    files
}

/// Writes everything that the image is built from; returns the paths.
fn write_context(directory: &Path, files: &[ImageFile], text: &str) -> Result<Vec<String>, Failure> {
    let mut written = vec![write(directory, CONTAINERFILE, text)?];
    for file in files {
        let to = directory.join(file.name);
        copy(&file.from, &to).map_err(|error| {
            let (from, to) = (file.from.display(), to.display());
            Failure::new(error).context(format!("cannot copy `{from}` to `{to}`"))
        })?;
        written.push(to.display().to_string());
    }
    Ok(written)
}

/// Copies a file, or the files in a directory.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return std::fs::copy(from, to).map(|_bytes| ());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.path().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
