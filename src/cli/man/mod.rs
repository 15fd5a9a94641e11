//! `man`: one manual page of all commands.

mod text;

use clap::builder::PossibleValue;
use clap::{Arg, Command};
use clap_mangen::roff::{Roff, bold, roman};

use super::exit::Exit;
use super::failure::Outcome;
use super::printer::Printer;
use text::{Headings, explanation};

/// Prints the manual page.
pub(super) fn run(printer: &Printer) -> Outcome {
    printer.data(&page())?;
    Ok(Exit::Done)
}

// Private

fn page() -> String {
    let command = super::command().disable_help_subcommand(true);
    let mut root = command.clone();
    root.build();
    let name = root.get_name().to_owned();
    let about = root.get_about().map(ToString::to_string).unwrap_or_default();
    let version = format!("{name} {}", root.get_version().unwrap_or_default());

    let mut page = Roff::new();
    page.control("TH", [name.as_str(), "1", "", version.as_str(), ""]);
    // Left-aligned and without hyphenation, so that command lines can be copied.
    page.control("ad", ["l"]);
    page.control("nh", []);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {about}"))]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold(usage(&mut root))]);
    page.control("SH", ["DESCRIPTION"]);
    if let Some(long) = root.get_long_about() {
        explanation(&mut page, &long.to_string(), Headings::Sections);
    }
    page.control("SH", ["COMMANDS"]);
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        describe(&mut page, verb, &format!("{name} {}", verb.get_name()));
    }
    page.control("SH", ["OPTIONS"]);
    page.text([roman("They may stand before or after the command.")]);
    arguments(&mut page, &root);
    if let Some(help) = root.get_after_long_help() {
        explanation(&mut page, &help.to_string(), Headings::Sections);
    }
    page.render()
}

/// Describes one command, and those below it. Called before clap builds the command, so that it has
/// only its own options and not the global ones.
fn describe(page: &mut Roff, verb: &Command, path: &str) {
    let mut built = verb
        .clone()
        .bin_name(path)
        .disable_help_flag(true)
        .disable_help_subcommand(true);
    built.build();
    page.control("SS", [usage(&mut built).as_str()]);
    if let Some(about) = built.get_about() {
        page.text([roman(format!("{about}."))]);
    }
    arguments(page, &built);
    if let Some(help) = built.get_after_long_help() {
        explanation(page, &help.to_string(), Headings::Paragraphs);
    }
    for below in verb.get_subcommands() {
        describe(page, below, &format!("{path} {}", below.get_name()));
    }
}

/// The usage of `command`, such as `clusterctl stop [OPTIONS]`.
fn usage(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    usage.trim_start_matches("Usage:").trim().to_owned()
}

fn arguments(page: &mut Roff, command: &Command) {
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let short = argument
            .get_short()
            .map_or(String::new(), |short| format!("-{short}, "));
        page.control("TP", []);
        page.text([bold(format!("{short}{argument}"))]);
        page.text([roman(meaning(argument))]);
    }
}

/// The purpose of `argument`, and its possible values.
fn meaning(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    // A switch has them too, but `[default: false]` is not useful.
    let takes_values = argument.get_action().takes_values();
    let defaults = argument
        .get_default_values()
        .iter()
        .filter(|_| takes_values)
        .map(|value| format!("[default: {}]", value.to_string_lossy()));
    let possible = argument.get_possible_values();
    let names: Vec<&str> = possible.iter().map(PossibleValue::get_name).collect();
    let possible =
        (takes_values && !names.is_empty()).then(|| format!("[possible values: {}]", names.join(", ")));
    let variable = argument
        .get_env()
        .map(|name| format!("[env: {}]", name.to_string_lossy()));
    let all: Vec<String> = std::iter::once(help)
        .chain(defaults)
        .chain(possible)
        .chain(variable)
        .collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_section() {
        let page = page();
        for verb in super::super::command().get_subcommands() {
            let heading = format!(".SS \"clusterctl {}", verb.get_name());
            assert_eq!(page.contains(&heading), !verb.is_hide_set(), "{heading}");
        }
    }

    #[test]
    fn options_of_all_commands_are_listed_once() {
        assert_eq!(page().matches("port\\-offset <N>").count(), 1);
    }
}
