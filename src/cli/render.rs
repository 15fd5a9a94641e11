//! `render`: the balancer's configuration, printed or written.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::planned::Planned;
use super::printer::Printer;
use super::settings::Settings;
use crate::balancer::ConfigFile;
use crate::platform::RunDir;

/// Renders what would run.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Render) -> Outcome {
    let planned = Planned::new(settings, args.balancer.as_ref()).await?;
    let files = planned.balancer.files(planned.deployment())?;
    planned.warn(printer);
    match &args.output {
        // The first file is the configuration; others, as a bundle with a private key, belong in no terminal.
        None => {
            let config = files.first().map_or("", |file| &file.content);
            printer.data(config)?;
        }
        Some(directory) => write(printer, directory, &files)?,
    }
    Ok(Exit::Done)
}

// Private

fn write(printer: &Printer, directory: &std::path::Path, files: &[ConfigFile]) -> Result<(), Failure> {
    let not_written = |path: &std::path::Path, error| {
        Failure::new(error).context(format!("cannot write `{}`", path.display()))
    };
    std::fs::create_dir_all(directory).map_err(|error| not_written(directory, error))?;
    for file in files {
        let path = directory.join(file.path.file_name().unwrap_or_default());
        RunDir::replace(&path, file.content.as_bytes()).map_err(|error| not_written(&path, error))?;
        printer.data(&path.display().to_string())?;
    }
    Ok(())
}
