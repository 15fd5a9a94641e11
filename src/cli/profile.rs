//! `profile`: lists and shows profiles, and prints their schema.

use super::args::ProfileVerb;
use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use super::settings::Settings;
use crate::profile::{DEFAULT, EMBEDDED, schema, show, summary};

/// Runs the command.
pub(super) fn run(settings: &Settings, printer: &Printer, verb: &ProfileVerb) -> Outcome {
    match verb {
        ProfileVerb::List if settings.json => {
            let names: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
            printer.pretty_json(&names)?;
        }
        ProfileVerb::List => printer.data(&list())?,
        ProfileVerb::Show { name } if settings.json => {
            let shown = show(&settings.source_of(name.as_deref())?)?;
            let profile: serde_json::Value = serde_yaml::from_str(&shown).map_err(Failure::new)?;
            printer.pretty_json(&profile)?;
        }
        ProfileVerb::Show { name } => printer.data(&show(&settings.source_of(name.as_deref())?)?)?,
        ProfileVerb::Schema => printer.pretty_json(&schema())?,
    }
    Ok(Exit::Done)
}

// Private

/// A line for each embedded profile: its name and its purpose.
fn list() -> String {
    let widest = EMBEDDED.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, text): &(&str, &str)| {
        let mark = if *name == DEFAULT { "*" } else { " " };
        format!("{mark} {name:widest$}  {}\n", summary(text))
    };
    EMBEDDED.iter().map(line).collect()
}
