//! Flags of every command.

use std::path::PathBuf;

use clap::Args;

/// Flags of every command, before or after its name.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(in crate::cli) struct Global {
    /// Profile: the name of an embedded one, or a YAML file
    #[arg(long, global = true, value_name = "NAME|FILE", default_value = crate::profile::DEFAULT)]
    pub(in crate::cli) profile: String,

    /// Change one value of the profile, as in `--set nodes.count=2`; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub(in crate::cli) sets: Vec<String>,

    /// Add N to every port, to run clusters side by side
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(in crate::cli) port_offset: u16,

    /// Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "CLUSTERCTL_RUN_DIR",
        hide_env_values = true
    )]
    pub(in crate::cli) run_dir: Option<PathBuf>,

    /// Directory of templates that replace the embedded ones
    #[arg(long, global = true, value_name = "DIR")]
    pub(in crate::cli) templates: Option<PathBuf>,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(in crate::cli) json: bool,

    /// Print without colour, even on a terminal (as `NO_COLOR=1` does)
    #[arg(long, global = true)]
    pub(in crate::cli) no_color: bool,
}
