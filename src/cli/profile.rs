//! `profile`: lists and shows profiles, and prints their schema.

use super::args::ProfileVerb;
use super::exit::Exit;
use super::failure::Outcome;
use super::printer::Printer;
use super::settings::Settings;
use crate::profile::{DEFAULT, EMBEDDED, Source, schema, show, summary};

/// Does it.
pub(super) fn run(settings: &Settings, printer: &Printer, verb: &ProfileVerb) -> Outcome {
    match verb {
        ProfileVerb::List if settings.json => {
            let names: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
            printer.pretty_json(&names)?;
        }
        ProfileVerb::List => printer.data(&list())?,
        ProfileVerb::Show { name: Some(name) } => printer.data(&Source::read(name)?.text)?,
        ProfileVerb::Show { name: None } => printer.data(&settings.source()?.text)?,
        ProfileVerb::Schema => printer.pretty_json(&schema())?,
    }
    Ok(Exit::Done)
}

// Private

/// A line for each embedded profile: its name, and the first line of its opening comment.
fn list() -> String {
    let widest = EMBEDDED.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, text): &(&str, &str)| {
        let about = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches('#')
            .trim();
        let mark = if *name == DEFAULT { "*" } else { " " };
        format!("{mark} {name:widest$}  {about}\n")
    };
    EMBEDDED.iter().map(line).collect()
}
