//! The commands that show what happens: `health` and `logs`.

use clap::Args;

use super::count::count;
use super::period::interval;
use crate::base::units::Period;

/// `health`
#[derive(Debug, Args)]
pub(in crate::cli) struct Health {
    /// Show it repeatedly, at this interval
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub(in crate::cli) continuous: Option<Period>,
    /// Exit with 0 also when degraded, while the balancer and a node serve
    #[arg(long)]
    pub(in crate::cli) serving: bool,
}

/// `logs`
#[derive(Debug, Args)]
pub(in crate::cli) struct Logs {
    /// Node, balancer, `nginx-access` or `supervisor` [default: all]
    pub(in crate::cli) name: Option<String>,
    /// Keep running, and show each new line
    #[arg(short, long)]
    pub(in crate::cli) follow: bool,
    /// Show the last N lines of each log
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = count(0..=usize::MAX), allow_negative_numbers = true)]
    pub(in crate::cli) lines: usize,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Cli;

    #[test]
    fn a_continuous_view_needs_an_interval() {
        for (interval, good) in [("0", false), ("99ms", false), ("100ms", true), ("5", true)] {
            let line = ["clusterctl", "health", "--continuous", interval];
            assert_eq!(Cli::try_parse_from(line).is_ok(), good, "{interval}");
        }
    }
}
