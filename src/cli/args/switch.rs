//! `switch`

use clap::Args;

use crate::base::units::Period;
use crate::cli::balancer_name::{BalancerName, BalancerNames};

/// `switch`
#[derive(Debug, Args)]
pub(in crate::cli) struct Switch {
    /// Balancer that takes over
    #[arg(value_parser = BalancerNames)]
    pub(in crate::cli) balancer: BalancerName,
    /// Close connections that are left at the former balancer after this time [default: never]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) deadline: Option<Period>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}
