//! `rebalance`

use clap::Args;

use crate::api::RebalanceOrder;
use crate::base::units::{Percent, Period, UnitError};

/// `rebalance`
#[derive(Debug, Args)]
pub(in crate::cli) struct Rebalance {
    /// Stop when the nodes differ by less than this: (max - min) / mean of their connections
    #[arg(long, value_name = "PERCENT", default_value = "5%")]
    pub(in crate::cli) to: Percent,
    /// Close the connections evenly over this time
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = over)]
    pub(in crate::cli) over: Period,
    #[arg(long, help = "Close WebSockets and event streams, too")]
    pub(in crate::cli) streams: bool,
    /// Show what would be closed, and close nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

fn over(text: &str) -> Result<Period, String> {
    let period: Period = text.parse().map_err(|error: UnitError| error.to_string())?;
    RebalanceOrder::refuse_over(period).map_or(Ok(period), Err)
}
