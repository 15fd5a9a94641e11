//! `render`: the balancer's configuration, printed or written.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::preview::Preview;
use super::printer::Printer;
use super::reply::{RenderReply, RenderedFile};
use super::settings::Settings;
use crate::balancer::ConfigFile;
use crate::platform::atomic_file;

/// Renders the configuration of what would run.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Render) -> Outcome {
    let preview = Preview::new(settings, args.balancer.as_ref()).await?;
    let files = preview.balancer.files(preview.deployment())?;
    preview.warn(printer);
    match &args.output {
        // The first file is the configuration; other files, such as a bundle with a private key,
        // must not be printed to a terminal.
        None if settings.json => {
            let config = files.into_iter().take(1).map(|file| RenderedFile {
                path: name(&file),
                content: Some(file.content),
            });
            printer.pretty_json(&RenderReply {
                files: config.collect(),
            })?;
        }
        None => {
            let config = files.first().map_or("", |file| &file.content);
            printer.data(config)?;
        }
        Some(directory) => {
            let written = write(directory, &files)?;
            if settings.json {
                printer.pretty_json(&RenderReply { files: written })?;
            } else {
                for file in written {
                    printer.data(&file.path)?;
                }
            }
        }
    }
    Ok(Exit::Done)
}

// Private

fn name(file: &ConfigFile) -> String {
    let name = file.path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Writes all files.
fn write(directory: &std::path::Path, files: &[ConfigFile]) -> Result<Vec<RenderedFile>, Failure> {
    let mut written = Vec::new();
    let not_written = |path: &std::path::Path, error| {
        Failure::new(error).context(format!("cannot write `{}`", path.display()))
    };
    std::fs::create_dir_all(directory).map_err(|error| not_written(directory, error))?;
    for file in files {
        let path = directory.join(file.path.file_name().unwrap_or_default());
        atomic_file::replace(&path, file.content.as_bytes(), atomic_file::PRIVATE)
            .map_err(|error| not_written(&path, error))?;
        written.push(RenderedFile {
            path: path.display().to_string(),
            content: None,
        });
    }
    Ok(written)
}
