//! The commands on configuration: `render`, `check`, `doctor`, `profile` and `completions`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::count::{MANY, count};
use crate::cli::balancer_name::{BalancerName, BalancerNames};

/// `render`
#[derive(Debug, Args)]
pub(in crate::cli) struct Render {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(in crate::cli) balancer: Option<BalancerName>,
    /// Write the files to this directory instead of printing them
    #[arg(long, short, value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// `check`
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(in crate::cli) balancer: Option<BalancerName>,
}

/// `doctor`
#[derive(Debug, Args)]
pub(in crate::cli) struct Doctor {
    /// Balancer [default: the profile's]
    #[arg(value_parser = BalancerNames)]
    pub(in crate::cli) balancer: Option<BalancerName>,
    /// Fix what can be fixed from here, and print how to undo it; needs root
    #[arg(long)]
    pub(in crate::cli) fix: bool,
    /// Show what N connections need, and whether they fit, instead of the profile's
    /// `limits.maxconn`
    #[arg(long, value_name = "N", value_parser = count(1..=MANY), allow_negative_numbers = true)]
    pub(in crate::cli) connections: Option<u32>,
}

/// `profile`
#[derive(Debug, Args)]
pub(in crate::cli) struct Profile {
    #[command(subcommand)]
    pub(in crate::cli) verb: ProfileVerb,
}

/// The command on profiles.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ProfileVerb {
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

/// `completions`
#[derive(Debug, Args)]
pub(in crate::cli) struct Completions {
    /// Shell
    pub(in crate::cli) shell: clap_complete::Shell,
}
