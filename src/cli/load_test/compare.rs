//! `load-test --compare`: two tests side by side.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::load_test::Results;
use crate::report;

/// Shows how the second test differs from the first.
pub(super) fn run(settings: &Settings, printer: &Printer, files: &[PathBuf]) -> Outcome {
    let [before, after] = files else {
        return Err(Failure::usage("`--compare` takes two files"));
    };
    let (before, after) = (read(before)?, read(after)?);
    if settings.json {
        printer.pretty_json(&Both {
            a: &before,
            b: &after,
        })?;
    } else {
        printer.data(&report::load_test_comparison(&before, &after))?;
    }
    Ok(Exit::Done)
}

// Private

/// Both tests, for `--json`.
#[derive(Serialize)]
struct Both<'a> {
    a: &'a Results,
    b: &'a Results,
}

fn read(path: &Path) -> Result<Results, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    Results::read(text.trim_start_matches('\u{feff}')).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: impl Into<anyhow::Error>) -> Failure {
    Failure::new(error)
        .context(format!("cannot read `{}`", path.display()))
        .exit(Exit::Unclear)
        .hint("`clusterctl load-test --json > FILE` writes such a file".to_owned())
}
