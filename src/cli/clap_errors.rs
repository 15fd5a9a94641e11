//! Clap's messages in our own words.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::exit::Exit;
use super::failure::{Failure, Outcome};
use super::printer::Printer;
use crate::base::units::excerpt;

/// Prints help and version where they were requested; everything else is a usage error.
pub(super) fn answer(error: clap::Error, printer: &Printer) -> Outcome {
    let error = &shortened(error);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            printer.data(&error.render().ansi().to_string())?;
            Ok(Exit::Done)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            printer.note(error.render().ansi().to_string().trim_end());
            Ok(Exit::Usage)
        }
        // For clap this is the same, except that an environment variable can set a flag.
        ErrorKind::MissingSubcommand if is_bare(error) => {
            printer.note(super::command().render_help().ansi().to_string().trim_end());
            Ok(Exit::Usage)
        }
        _ => Err(Failure::usage(what(error)).hint(hint(error))),
    }
}

// Private

/// Whether the command line has nothing but the program's name.
fn is_bare(error: &clap::Error) -> bool {
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(path)) => !path.contains(' '),
        _ => true,
    }
}

/// The error with long excerpts of the command line shortened.
fn shortened(mut error: clap::Error) -> clap::Error {
    for kind in [
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
        ContextKind::InvalidValue,
    ] {
        if let Some(ContextValue::String(typed)) = error.get(kind) {
            let typed = excerpt(typed);
            error.insert(kind, ContextValue::String(typed));
        }
    }
    error
}

/// Clap's first paragraph on one line. Usage and tips, which follow it, are replaced by our own
/// hint.
fn what(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    let line = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    line.trim_start_matches("error:").trim().replace('\'', "`")
}

fn hint(error: &clap::Error) -> String {
    let suggested = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ];
    let suggestion = suggested.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(one) => Some(one.as_str()),
        // Sorted by similarity, the closest last.
        ContextValue::Strings(many) => many.last().map(String::as_str),
        _ => None,
    });
    match suggestion {
        Some(suggestion) => format!("did you mean `{suggestion}`?"),
        None if error.kind() == ErrorKind::MissingSubcommand => "`--help` lists the subcommands".to_owned(),
        None => "`clusterctl --help` lists the commands, `clusterctl COMMAND --help` their flags".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::Cli;
    use super::*;
    use clap::Parser;

    fn error_for(line: &[&str]) -> (String, String) {
        let line = std::iter::once("clusterctl").chain(line.iter().copied());
        let error = shortened(Cli::try_parse_from(line).unwrap_err());
        (what(&error), hint(&error))
    }

    #[test]
    fn near_misses_are_suggested() {
        assert_eq!(
            error_for(&["strat"]),
            (
                "unrecognized subcommand `strat`".into(),
                "did you mean `start`?".into()
            )
        );
        assert_eq!(
            error_for(&["start", "--foregruond"]).1,
            "did you mean `--foreground`?"
        );
        assert_eq!(error_for(&["start", "--only", "node"]).1, "did you mean `nodes`?");
    }

    #[test]
    fn the_quoted_input_is_shortened_and_without_control_characters() {
        let long = "x".repeat(200_000);
        for line in [
            vec![long.as_str()],
            vec!["start", &long, &long],
            vec!["start", "--only", &long],
            vec!["start", "--timeout", &long],
            vec!["status", "--port-offset", &long],
            vec!["load-test", &long],
            vec!["load-test", "--rate", &long],
            vec!["load-test", "--protocol", &long],
            vec!["node", "--name", "a", "--tcp", &long],
            vec!["node", "--name", "a", "--tcp", "127.0.0.1:1", "--mute", &long],
            vec!["completions", &long],
            vec!["health", "--continuous", &long],
            vec!["logs", "-n", &long],
            vec!["erlang", "a", &long],
            vec!["doctor", "--connections", &long],
        ] {
            let (what, hint) = error_for(&line);
            assert!(what.len() + hint.len() < 1_000, "{}: {}", line[0], what.len());
        }
        let (what, _) = error_for(&[&format!("--{long}")]);
        assert!(what.len() < 1_000, "{}", what.len());
        let (what, _) = error_for(&["start", "--only", "a\x1b[2J\n\nb"]);
        assert!(what.contains(r"a\u{1b}[2J\n\nb"), "{what}");
    }

    #[test]
    fn an_incomplete_command_is_reported() {
        let (what, hint) = error_for(&["erlang", "erlmcp1"]);
        assert!(
            what.starts_with("`clusterctl erlang` requires a subcommand") && what.contains("processes"),
            "{what}"
        );
        assert_eq!(hint, "`--help` lists the subcommands");
    }

    #[test]
    fn a_wrong_value_is_reported_with_the_valid_ones() {
        let (what, _) = error_for(&["stop", "--grace", "soon"]);
        assert!(what.contains("is not a duration such as"), "{what}");
    }
}
