//! The command line as it is typed.

mod change;
mod config;
mod count;
mod drain;
mod erlang;
mod export;
mod global;
mod load_test;
mod period;
mod process;
mod rebalance;
mod start_stop;
mod switch;
mod verb;
mod watch;

use std::borrow::Cow;
use std::ffi::OsString;

use clap::Parser;

pub(super) use change::{Closing, NodeAdd, NodeRemove, NodeVerb, Planning, Reload, Restart, Scale};
pub(super) use config::{Check, Completions, Doctor, Profile, ProfileVerb, Render};
pub(super) use drain::{Drain, Ready};
pub(super) use erlang::{Call, Erlang, ErlangQuery};
pub(super) use export::{Export, ExportContainer, ExportStop, ExportSystemd, ExportVerb};
pub(super) use global::Global;
pub(super) use load_test::LoadTest;
pub(super) use process::{Dataplane, Node};
pub(super) use rebalance::Rebalance;
pub(super) use start_stop::{Start, Stop};
pub(super) use switch::Switch;
pub(super) use verb::Verb;
pub(super) use watch::{Health, Logs};

use super::help;

/// Runs a load-balanced cluster of MCP nodes on one machine, and keeps it running.
#[derive(Debug, Parser)]
#[command(name = "clusterctl", version, long_about = help::ABOUT, after_long_help = help::EXAMPLES)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    infer_subcommands = false
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

impl Cli {
    /// Reads a whole command line. A flag that may be repeated counts wherever it stands: clap
    /// alone keeps only the last ones when they are given both before and after the command's name.
    ///
    /// # Errors
    /// When it is invalid, and when it asks for help.
    pub(super) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        let line: Vec<OsString> = line.into_iter().collect();
        let mut cli = Cli::try_parse_from(&line)?;
        cli.global.sets = sets(&line);
        Ok(cli)
    }
}

// Private

/// The values of every `--set` of a valid `line`, in which no `--set` is the value of another flag.
fn sets(line: &[OsString]) -> Vec<String> {
    let mut sets = Vec::new();
    let mut words = line.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next().filter(|word| word != "--") {
        if word == "--set" {
            sets.extend(words.next().map(Cow::into_owned));
        } else if let Some(value) = word.strip_prefix("--set=") {
            sets.push(value.to_owned());
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_before_the_verb_count_as_those_after_it() {
        let sets = |words: &str| {
            let line = format!("clusterctl {words}");
            let cli = Cli::read(line.split(' ').map(OsString::from)).unwrap();
            cli.global.sets.join(" ")
        };
        assert_eq!(sets("--set a=1 --json status --set b=2 --set a=3"), "a=1 b=2 a=3");
        assert_eq!(sets("--set a=1 profile show --set b=2"), "a=1 b=2");
        assert_eq!(
            sets("--set a=1 profile --set b=2 show --set=c=3 x"),
            "a=1 b=2 c=3"
        );
        assert_eq!(sets("erlang --set a=1 x call m f --set b=2 -- --set"), "a=1 b=2");
        assert_eq!(sets("--set a=1 render haproxy"), "a=1");
        assert_eq!(sets("render haproxy --set a=1"), "a=1");
        assert_eq!(sets("render --set=status --set a=1"), "status a=1");
        assert_eq!(sets("status"), "");
        let json = |words: [&str; 3]| Cli::try_parse_from(words).unwrap().global.json;
        assert!(json(["clusterctl", "--json", "status"]) && json(["clusterctl", "status", "--json"]));
    }

    #[test]
    fn the_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
