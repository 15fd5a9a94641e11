//! `render`: the balancer's configuration, printed or written.

use super::args;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::balancer::{self, ConfigFile};
use crate::plan::plan;
use crate::platform::{Host, RunDir};
use crate::report;

/// Renders what would run.
pub(super) async fn run(settings: &Settings, printer: &Printer, args: &args::Render) -> Outcome {
    let cluster = settings.cluster()?;
    let plan = plan(
        &cluster,
        settings.balancer(args.balancer.as_ref())?,
        &Host::read(),
    );
    let balancer = balancer::find(plan.balancer.kind, &cluster.binaries).await?;
    let files = balancer.files(&cluster, &plan, &settings.run_dir()?, &settings.templates())?;
    for warning in &plan.warnings {
        printer.warning(&report::warning(warning));
    }
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
