//! The command line as it is typed.

mod change;
mod count;
mod erlang;
mod export;
mod load_test;
mod period;
mod rebalance;
mod switch;

use std::borrow::Cow;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(super) use change::{Closing, NodeAdd, NodeRemove, NodeVerb, Planning, Reload, Restart, Scale};
pub(super) use erlang::{Call, Erlang, Question};
pub(super) use export::{Export, ExportContainer, ExportStop, ExportSystemd, ExportVerb};
pub(super) use load_test::LoadTest;
pub(super) use rebalance::Rebalance;
pub(super) use switch::Switch;

use super::balancer_name::{BalancerName, BalancerNames};
use super::help;
use crate::api::Only;
use crate::base::units::Period;
use count::{MANY, count};
use period::interval;

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

/// Flags of every command, before or after its name.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Profile: the name of an embedded one, or a YAML file
    #[arg(long, global = true, value_name = "NAME|FILE", default_value = crate::profile::DEFAULT)]
    pub(super) profile: String,

    /// Change one value of the profile, as in `--set nodes.count=2`; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,

    /// Add N to every port, to run clusters side by side
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(super) port_offset: u16,

    /// Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "CLUSTERCTL_RUN_DIR",
        hide_env_values = true
    )]
    pub(super) run_dir: Option<PathBuf>,

    /// Directory of templates that replace the embedded ones
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) templates: Option<PathBuf>,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Print without colour, even on a terminal (as `NO_COLOR=1` does)
    #[arg(long, global = true)]
    pub(super) no_color: bool,
}

/// The command.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Start the nodes and the balancer, and return when all of them serve
    #[command(after_long_help = help::START)]
    Start(Start),
    /// Stop the balancer, then the nodes; leave nothing running
    #[command(after_long_help = help::STOP)]
    Stop(Stop),
    /// Restart one node, or all of them one after another and then the balancer
    #[command(after_long_help = help::RESTART)]
    Restart(Restart),
    /// Apply the changed profile without losing a connection
    #[command(after_long_help = help::RELOAD)]
    Reload(Reload),
    /// Give the running cluster another number of nodes
    #[command(after_long_help = help::SCALE)]
    Scale(Scale),
    /// Let another balancer take over without losing a connection
    #[command(after_long_help = help::SWITCH)]
    Switch(Switch),
    /// Give a node no new connections or sessions; established ones stay
    #[command(after_long_help = help::DRAIN)]
    Drain(Drain),
    /// Undo a drain; start the node if the drain had stopped it
    #[command(after_long_help = help::READY)]
    Ready(Ready),
    /// Close connections of nodes that hold too many, so that their clients get other nodes
    #[command(after_long_help = help::REBALANCE)]
    Rebalance(Rebalance),
    /// Show which nodes are up, how many connections each holds, and whether that is even
    #[command(after_long_help = help::STATUS)]
    Status,
    /// Show the status with latencies, resources and alerts; once or continuously
    #[command(after_long_help = help::HEALTH)]
    Health(Health),
    /// Show the balancer's own statistics
    #[command(after_long_help = help::STATS)]
    Stats,
    /// Open real connections, hold them, and show whether the load is even
    #[command(after_long_help = help::LOAD_TEST)]
    LoadTest(LoadTest),
    /// Query a BEAM node: its memory, processes, ports and nodes, or any call
    #[command(after_long_help = help::ERLANG)]
    Erlang(Erlang),
    /// Show the logs of the nodes, the balancer and the supervisor
    #[command(after_long_help = help::LOGS)]
    Logs(Logs),
    /// Print the balancer's configuration, or write it to a directory
    #[command(after_long_help = help::RENDER)]
    Render(Render),
    /// Check the profile, and the configuration with the balancer
    #[command(after_long_help = help::CHECK)]
    Check(Check),
    /// Check this host, and show how to fix what is wrong
    #[command(after_long_help = help::DOCTOR)]
    Doctor(Doctor),
    /// List and show profiles, and print their schema
    #[command(after_long_help = help::PROFILE)]
    Profile(Profile),
    /// Run one MCP node alone, in the foreground; or add nodes to the cluster, and remove them
    #[command(after_long_help = help::NODE)]
    Node(Node),
    /// Run the built-in load balancer alone, in the foreground
    #[command(after_long_help = help::DATAPLANE)]
    Dataplane(Dataplane),
    /// Print a unit of systemd, or a Containerfile, that runs the cluster
    #[command(after_long_help = help::EXPORT)]
    Export(Export),
    /// Print completions for a shell
    #[command(after_long_help = help::COMPLETIONS)]
    Completions(Completions),
    /// Print the manual page, in roff
    #[command(after_long_help = help::MAN)]
    Man,
    /// Run the supervisor (what `start` spawns)
    #[command(hide = true)]
    Supervise,
}

impl Verb {
    /// Whether this process is a node or a balancer.
    pub(super) const fn serves_clients(&self) -> bool {
        matches!(self, Verb::Node(Node { verb: None, .. }) | Verb::Dataplane(_))
    }
}

/// `start`
#[derive(Debug, Args)]
pub(super) struct Start {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(super) balancer: Option<BalancerName>,
    /// Stay in the foreground and log to the terminal, for systemd and containers
    #[arg(long)]
    pub(super) foreground: bool,
    /// Start only the nodes, or only the balancer
    #[arg(long, value_parser = only(), value_name = "nodes|balancer")]
    pub(super) only: Option<Only>,
    /// How long to wait until all nodes and the balancer serve
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(super) timeout: Period,
    /// At the end, answer /ready with 503 for this long before connections are refused
    #[arg(long, value_name = "DURATION", requires = "foreground")]
    pub(super) announce: Option<Period>,
    /// At the end, close the connections that are left evenly over this time
    #[arg(long, value_name = "DURATION", requires = "foreground")]
    pub(super) over: Option<Period>,
}

/// `stop`
#[derive(Debug, Args)]
pub(super) struct Stop {
    /// Time that established connections get to end by themselves
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    pub(super) grace: Period,
    #[command(flatten)]
    pub(super) ending: Ending,
}

/// `drain`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Drain {
    /// Node
    pub(super) node: String,
    /// Return when the node has no connection (0), or at the deadline (1)
    #[arg(long)]
    pub(super) wait: bool,
    /// Time that established connections get
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(super) deadline: Period,
    /// End what is left at the deadline
    #[arg(long)]
    pub(super) close: bool,
    /// Stop the node once it has no connection
    #[arg(long)]
    pub(super) stop: bool,
    /// Drain it even if it is the last node that serves
    #[arg(long)]
    pub(super) force: bool,
}

/// `ready`
#[derive(Debug, Args)]
pub(super) struct Ready {
    /// Node
    pub(super) node: String,
}

/// `health`
#[derive(Debug, Args)]
pub(super) struct Health {
    /// Show it repeatedly, at this interval
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub(super) continuous: Option<Period>,
    /// Exit with 0 also when degraded, while the balancer and a node serve
    #[arg(long)]
    pub(super) serving: bool,
}

/// `logs`
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// Node, balancer, `nginx-access` or `supervisor` [default: all]
    pub(super) name: Option<String>,
    /// Keep running, and show each new line
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Show the last N lines of each log
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = count(0..=usize::MAX), allow_negative_numbers = true)]
    pub(super) lines: usize,
}

/// `render`
#[derive(Debug, Args)]
pub(super) struct Render {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(super) balancer: Option<BalancerName>,
    /// Write the files to this directory instead of printing them
    #[arg(long, short, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
}

/// `check`
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(super) balancer: Option<BalancerName>,
}

/// `doctor`
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(super) balancer: Option<BalancerName>,
    /// Fix what can be fixed from here, and print how to undo it; needs root
    #[arg(long)]
    pub(super) fix: bool,
    /// Show what N connections need, and whether they fit, instead of the profile's
    /// `limits.maxconn`
    #[arg(long, value_name = "N", value_parser = count(1..=MANY), allow_negative_numbers = true)]
    pub(super) connections: Option<u32>,
}

/// `profile`
#[derive(Debug, Args)]
pub(super) struct Profile {
    #[command(subcommand)]
    pub(super) verb: ProfileVerb,
}

/// The command on profiles.
#[derive(Debug, Subcommand)]
pub(super) enum ProfileVerb {
    /// List the embedded profiles
    List,
    /// Print a profile as it is written
    Show {
        /// Embedded profile or file [default: that of `--profile`]
        name: Option<String>,
    },
    /// Print the JSON schema of profiles, for editors
    Schema,
}

/// How a process or the cluster ends: the balancer in front notices first, and clients are not cut
/// off all at the same moment.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Ending {
    /// Answer /ready with 503 for this long before connections are refused
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(super) announce: Period,
    /// Close the connections that are left evenly over this time
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(super) over: Period,
}

/// `node`
#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
pub(super) struct Node {
    #[command(subcommand)]
    pub(super) verb: Option<NodeVerb>,
    /// Its name, which clients see as serverInfo.name
    #[arg(long, required = true)]
    pub(super) name: Option<String>,
    /// Address for MCP over TCP, newline-delimited JSON-RPC
    #[arg(long, value_name = "ADDRESS:PORT", required_unless_present = "http")]
    pub(super) tcp: Option<SocketAddr>,
    /// Address for MCP over HTTP
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) http: Option<SocketAddr>,
    /// Worker threads, each with its own descriptor table [default: one per processor]
    #[arg(long, value_name = "N", value_parser = count(1..=u16::MAX), allow_negative_numbers = true)]
    pub(super) workers: Option<u16>,
    /// Connections to hold at most
    #[arg(long, value_name = "N", default_value_t = 35_000, value_parser = count(0..=MANY), allow_negative_numbers = true)]
    pub(super) max_connections: u32,
    #[command(flatten)]
    pub(super) ending: Ending,
    /// Fault injection, for drills: delay every answer, also to health checks, by this much
    #[arg(long, value_name = "DURATION", hide = true, default_value = "0s")]
    pub(super) delay: Period,
    /// Fault injection, for drills: this port accepts connections and never answers
    #[arg(long, value_name = "tcp|http", hide = true)]
    pub(super) mute: Option<crate::node::Port>,
}

/// `dataplane`
#[derive(Debug, Args)]
pub(super) struct Dataplane {
    /// Its configuration, as `clusterctl render builtin` prints it
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    #[command(flatten)]
    pub(super) ending: Ending,
}

/// `completions`
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Shell
    pub(super) shell: clap_complete::Shell,
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

fn only() -> impl clap::builder::TypedValueParser<Value = Only> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};

    PossibleValuesParser::new(["nodes", "balancer"]).map(|half| {
        if half == "nodes" {
            Only::Nodes
        } else {
            Only::Balancer
        }
    })
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

    #[test]
    fn a_continuous_view_needs_an_interval() {
        for (interval, good) in [("0", false), ("99ms", false), ("100ms", true), ("5", true)] {
            let line = ["clusterctl", "health", "--continuous", interval];
            assert_eq!(Cli::try_parse_from(line).is_ok(), good, "{interval}");
        }
    }
}
