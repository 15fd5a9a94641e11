//! `drain` and `ready`.

use clap::Args;

use crate::base::units::Period;

/// `drain`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(in crate::cli) struct Drain {
    /// Node
    pub(in crate::cli) node: String,
    /// Return when the node has no connection (0), or at the deadline (1)
    #[arg(long)]
    pub(in crate::cli) wait: bool,
    /// Time that established connections get
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(in crate::cli) deadline: Period,
    /// End what is left at the deadline
    #[arg(long)]
    pub(in crate::cli) close: bool,
    /// Stop the node once it has no connection
    #[arg(long)]
    pub(in crate::cli) stop: bool,
    /// Drain it even if it is the last node that serves
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

/// `ready`
#[derive(Debug, Args)]
pub(in crate::cli) struct Ready {
    /// Node
    pub(in crate::cli) node: String,
}
