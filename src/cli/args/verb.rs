//! The commands.

use clap::Subcommand;

use super::{
    Check, Completions, Dataplane, Doctor, Drain, Erlang, Export, Health, LoadTest, Logs, Node, Profile,
    Ready, Rebalance, Reload, Render, Restart, Scale, Start, Stop, Switch,
};
use crate::cli::help;

/// The command.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
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
    pub(in crate::cli) const fn serves_clients(&self) -> bool {
        matches!(self, Verb::Node(Node { verb: None, .. }) | Verb::Dataplane(_))
    }
}
