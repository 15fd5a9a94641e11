//! The flags of commands that change what runs: `reload`, `scale`, `restart`, `node add` and
//! `node remove`.

use clap::{Args, Subcommand};

use super::count::count;
use crate::base::units::{Count, Period};

/// Flags of every such command.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(in crate::cli) struct Planning {
    /// Show what would change and what it costs, and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask, and close connections that are left at the deadline
    #[arg(long)]
    pub(in crate::cli) yes: bool,
}

/// What becomes of the connections of nodes that are replaced or removed.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(in crate::cli) struct Closing {
    /// Time that connections of a drained node get, before they are closed [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) deadline: Option<Period>,
    /// Close the connections that are left at the deadline; else they are waited for
    #[arg(long)]
    pub(in crate::cli) close: bool,
}

/// `reload`
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Reload {
    #[command(flatten)]
    pub(in crate::cli) planning: Planning,
    #[command(flatten)]
    pub(in crate::cli) closing: Closing,
    /// Go back to what ran before the latest change
    #[arg(long)]
    pub(in crate::cli) undo: bool,
}

/// `scale`
#[derive(Debug, Args)]
pub(in crate::cli) struct Scale {
    /// How many nodes the cluster gets
    #[arg(value_name = "N", value_parser = nodes, allow_negative_numbers = true)]
    pub(in crate::cli) count: u16,
    #[command(flatten)]
    pub(in crate::cli) planning: Planning,
    #[command(flatten)]
    pub(in crate::cli) closing: Closing,
}

/// `restart`
#[derive(Debug, Args)]
#[command(
    mut_arg("dry_run", |flag| flag.requires("rolling")),
    mut_arg("yes", |flag| flag.requires("rolling")),
    mut_arg("deadline", |flag| flag.requires("rolling")),
    mut_arg("close", |flag| flag.requires("rolling"))
)]
pub(in crate::cli) struct Restart {
    /// Node [default: everything]
    pub(in crate::cli) node: Option<String>,
    /// Restart all nodes batch by batch, each drained before, so that no client is refused
    #[arg(long, conflicts_with = "node")]
    pub(in crate::cli) rolling: bool,
    /// How many nodes are away at the same time [default: the profile's]
    #[arg(long, value_name = "N", value_parser = count(1..=u16::MAX), allow_negative_numbers = true, requires = "rolling")]
    pub(in crate::cli) batch: Option<u16>,
    #[command(flatten)]
    pub(in crate::cli) planning: Planning,
    #[command(flatten)]
    pub(in crate::cli) closing: Closing,
    /// Go on with a change that has stopped
    #[arg(long, requires = "rolling", conflicts_with = "batch")]
    pub(in crate::cli) resume: bool,
    /// Go back to what ran before the latest change
    #[arg(long, requires = "rolling", conflicts_with_all = ["batch", "resume"])]
    pub(in crate::cli) undo: bool,
}

/// The command on nodes of the running cluster.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NodeVerb {
    /// Add nodes to the running cluster
    #[command(after_long_help = crate::cli::help::NODE_ADD)]
    Add(NodeAdd),
    /// Remove nodes from the running cluster, each drained before
    #[command(after_long_help = crate::cli::help::NODE_REMOVE)]
    Remove(NodeRemove),
}

/// `node add`
#[derive(Debug, Args)]
pub(in crate::cli) struct NodeAdd {
    /// Their names
    #[arg(required = true, value_name = "NAME")]
    pub(in crate::cli) names: Vec<String>,
    /// Address or host name of an external node
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) address: Option<String>,
    /// Its port for MCP over TCP
    #[arg(long, value_name = "PORT", requires = "address", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) tcp_port: Option<u16>,
    /// Its port for MCP over HTTP
    #[arg(long, value_name = "PORT", requires = "address", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) http_port: Option<u16>,
    /// Show what would change and what it costs, and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// `node remove`
#[derive(Debug, Args)]
pub(in crate::cli) struct NodeRemove {
    /// Their names
    #[arg(required = true, value_name = "NAME")]
    pub(in crate::cli) names: Vec<String>,
    /// Remove them even if no other node serves
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) planning: Planning,
    #[command(flatten)]
    pub(in crate::cli) closing: Closing,
}

// Private

/// A number of nodes.
fn nodes(text: &str) -> Result<u16, String> {
    match text.parse::<Count>() {
        Ok(none) if none.get() == 0 => {
            Err("a cluster has at least one node; `clusterctl stop` stops all of them".to_owned())
        }
        _ => count(1..=u16::MAX)(text),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Verb};
    use super::*;

    fn parsed(line: &str) -> Result<Verb, String> {
        let words = std::iter::once("clusterctl").chain(line.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(cli.verb)
    }

    fn refused(line: &str, why: &str) {
        let error = parsed(line).unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }

    #[test]
    fn a_rolling_restart_has_flags_that_a_restart_has_not() {
        let Ok(Verb::Restart(args)) = parsed("restart --rolling --batch 2 --deadline 10s --close --yes")
        else {
            panic!("not a restart");
        };
        assert_eq!(
            (args.batch, args.closing.close, args.planning.yes),
            (Some(2), true, true)
        );
        assert!(parsed("restart --rolling --resume").is_ok());
        assert!(parsed("restart --rolling --undo --dry-run").is_ok());
        assert!(parsed("restart erlmcp1").is_ok() && parsed("restart").is_ok());
        for flag in [
            "--batch 2",
            "--deadline 1s",
            "--close",
            "--yes",
            "--dry-run",
            "--resume",
            "--undo",
        ] {
            refused(&format!("restart {flag}"), "--rolling");
        }
        refused("restart erlmcp1 --rolling", "cannot be used with");
        refused("restart --rolling --undo --resume", "cannot be used with");
        refused("restart --rolling --batch 0", "is not within 1 to 65535");
    }

    #[test]
    fn a_cluster_is_scaled_to_at_least_one_node() {
        let Ok(Verb::Scale(args)) = parsed("scale 8 --deadline 5m --dry-run") else {
            panic!("not scale");
        };
        assert_eq!((args.count, args.planning.dry_run), (8, true));
        refused("scale 0", "a cluster has at least one node");
        for count in ["-1", "70000", "many", ""] {
            assert!(parsed(&format!("scale {count}")).is_err(), "{count}");
        }
        refused("scale", "<N>");
    }

    #[test]
    fn a_node_is_run_added_or_removed() {
        let run = "node --name a --tcp 127.0.0.1:1";
        let Ok(Verb::Node(args)) = parsed(run) else {
            panic!("not a node");
        };
        assert!(args.verb.is_none() && args.name.as_deref() == Some("a"));
        refused("node", "--name");
        refused("node --name a", "--tcp");
        let Ok(Verb::Node(args)) = parsed("node add a b --run-dir /x --dry-run") else {
            panic!("not a node");
        };
        assert!(matches!(args.verb, Some(NodeVerb::Add(NodeAdd { names, .. })) if names == ["a", "b"]));
        let external = "node add a --address db.internal --tcp-port 9001 --http-port 8081";
        let Ok(Verb::Node(args)) = parsed(external) else {
            panic!("not a node");
        };
        assert!(matches!(args.verb, Some(NodeVerb::Add(add)) if add.tcp_port == Some(9001)));
        refused("node add", "<NAME>");
        refused("node add a --tcp-port 9001", "--address");
        refused("node add a --address b --tcp-port 0", "0");
        assert!(parsed("node --json remove a b --force --close --deadline 0").is_ok());
        refused("node remove", "<NAME>");
    }
}
