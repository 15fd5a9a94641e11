//! `export`: what a service manager or a container engine needs to run the cluster.

mod container;
mod systemd;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::reply::{RenderReply, RenderedFile};
use super::settings::Settings;
use crate::platform::{atomic_file, self_exe};
use crate::supervisor::SIGNAL_GRACE;

/// The user that runs the service if none is named.
pub(super) const USER: &str = "clusterctl";
/// Time for processes to end after the connections' grace, or to be ended before a start.
const MARGIN: Duration = Duration::from_secs(30);
/// The time until the cluster serves.
const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// Prints the export, or writes it to a directory.
pub(super) fn run(settings: &Settings, printer: &Printer, args: &args::Export) -> Outcome {
    match &args.verb {
        args::ExportVerb::Systemd(args) => systemd::run(settings, printer, args),
        args::ExportVerb::Container(args) => container::run(settings, printer, args),
    }
}

// Private

/// The end of an export: `text` is printed if it was not written to a directory, else the paths of
/// the files.
fn print(settings: &Settings, printer: &Printer, name: &str, text: String, written: Vec<String>) -> Outcome {
    let content = written.is_empty().then_some(text);
    match content {
        Some(text) if !settings.json => printer.data(&text)?,
        None if !settings.json => printer.data(&written.join("\n"))?,
        Some(text) => {
            let file = RenderedFile {
                path: name.to_owned(),
                content: Some(text),
            };
            printer.pretty_json(&RenderReply { files: vec![file] })?;
        }
        None => {
            let files = written
                .into_iter()
                .map(|path| RenderedFile { path, content: None });
            printer.pretty_json(&RenderReply {
                files: files.collect(),
            })?;
        }
    }
    Ok(Exit::Done)
}

fn program() -> Result<PathBuf, Failure> {
    let program = self_exe();
    if program.starts_with("/proc") {
        return Err(
            Failure::because("the file of this program was removed or replaced")
                .hint("run the new one".to_owned()),
        );
    }
    Ok(program)
}

/// The time until the cluster has stopped.
fn stops_within(stop: &args::ExportStop) -> Duration {
    stop.announce.duration() + SIGNAL_GRACE + stop.over.duration() + MARGIN
}

fn write(directory: &Path, name: &str, text: &str) -> Result<String, Failure> {
    let path = directory.join(name);
    std::fs::create_dir_all(directory)
        .and_then(|()| atomic_file::replace(&path, text.as_bytes(), atomic_file::READABLE))
        .map_err(|error| Failure::new(error).context(format!("cannot write `{}`", path.display())))?;
    Ok(path.display().to_string())
}
