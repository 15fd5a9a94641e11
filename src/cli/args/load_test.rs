//! The flags of `load-test`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::count::{MANY, count};
use super::period::interval;
use crate::base::units::{Count, Period, excerpt};
use crate::load_test::Protocol;
use crate::load_test::results::FailoverMode;
use crate::mcp::Revision;

/// Flags that only apply to a test, not to `--compare`.
const TESTING: [&str; 13] = [
    "connections",
    "hold",
    "protocol",
    "mcp",
    "target",
    "rate",
    "messages_per_second",
    "sources",
    "timeout",
    "failover",
    "failover_mode",
    "fail_on",
    "report",
];

/// `load-test`
#[derive(Debug, Args)]
pub(in crate::cli) struct LoadTest {
    /// Connections
    #[arg(default_value_t = 100_000, value_parser = count(1..=MANY), allow_negative_numbers = true)]
    pub(in crate::cli) connections: u32,
    /// How long they are held once all are made
    #[arg(value_name = "DURATION", default_value = "60s")]
    pub(in crate::cli) hold: Period,
    /// What clients speak [default: the scheme of `--target`, else tcp, or http where nodes have no TCP]
    #[arg(long, value_name = "tcp|http|ws|sse", value_parser = protocol())]
    pub(in crate::cli) protocol: Option<Protocol>,
    /// The revision of MCP that clients of `--protocol http` speak; 2026-07-28 has no sessions
    /// [default: 2025-11-25]
    #[arg(long, value_name = "REVISION", value_parser = revision())]
    pub(in crate::cli) mcp: Option<Revision>,
    /// Test this address instead of the cluster's own balancer; also `tcp://HOST:PORT`,
    /// `http://HOST:PORT/PATH` and `ws://..`
    #[arg(long, value_name = "HOST:PORT|URL")]
    pub(in crate::cli) target: Option<String>,
    /// New connections per second at most [default: as many as the target accepts]
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub(in crate::cli) rate: Option<f64>,
    /// Pings per second over all connections while they are held, on a schedule that does not wait
    /// for answers [default: 1000, or what the cluster's limits allow]
    #[arg(long, value_name = "N", value_parser = not_negative, allow_negative_numbers = true)]
    pub(in crate::cli) messages_per_second: Option<f64>,
    /// Addresses of 127.0.0.0/8 that clients connect from [default: one for each]
    #[arg(long, value_name = "N", value_parser = count(1..=MANY), allow_negative_numbers = true)]
    pub(in crate::cli) sources: Option<u32>,
    /// Time limit for making a connection, and for the answer to a ping
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = interval)]
    pub(in crate::cli) timeout: Period,
    /// Let this node fail in the middle of the hold, and measure when its clients are served again
    #[arg(long, value_name = "NODE", conflicts_with = "target")]
    pub(in crate::cli) failover: Option<String>,
    /// How it fails: its process is killed, or stopped so that it accepts and never answers
    #[arg(long, value_name = "kill|stop", default_value = "kill", value_parser = failover_mode(), requires = "failover")]
    pub(in crate::cli) failover_mode: FailoverMode,
    /// Also fail when latencies are not within their targets
    #[arg(long, value_name = "latency", value_parser = ["latency"])]
    pub(in crate::cli) fail_on: Option<String>,
    /// Also write an HTML page with charts
    #[arg(long, value_name = "FILE.html")]
    pub(in crate::cli) report: Option<PathBuf>,
    /// Test nothing; compare the results that two runs with --json have printed
    #[arg(long, value_names = ["A.json", "B.json"], num_args = 2, conflicts_with_all = TESTING)]
    pub(in crate::cli) compare: Option<Vec<PathBuf>>,
}

// Private

fn protocol() -> impl TypedValueParser<Value = Protocol> {
    PossibleValuesParser::new(Protocol::ALL.map(Protocol::name)).try_map(|name| name.parse())
}

fn revision() -> impl TypedValueParser<Value = Revision> {
    PossibleValuesParser::new(Revision::ALL.map(Revision::name)).try_map(|name| name.parse::<Revision>())
}

fn failover_mode() -> impl TypedValueParser<Value = FailoverMode> {
    PossibleValuesParser::new(["kill", "stop"]).map(|mode| {
        if mode == "kill" {
            FailoverMode::Kill
        } else {
            FailoverMode::Stop
        }
    })
}

/// A number per second above zero.
fn positive(text: &str) -> Result<f64, String> {
    match not_negative(text)? {
        number if number > 0.0 => Ok(number),
        _ => Err(format!("`{}` is none: it has to be more than 0", excerpt(text))),
    }
}

/// A number per second that a schedule can be computed from.
fn not_negative(text: &str) -> Result<f64, String> {
    const MAX_PER_SECOND: f64 = 10_000_000.0;

    let count = || Some(f64::from(u32::try_from(text.parse::<Count>().ok()?.get()).ok()?));
    let number = text.parse().ok().or_else(count);
    number
        .filter(|number| (0.0..=MAX_PER_SECOND).contains(number))
        .ok_or_else(|| {
            format!(
                "`{}` is not a number from 0 to {MAX_PER_SECOND}, such as `1.5` or `10k`",
                excerpt(text)
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_a_count() {
        let read = |text| not_negative(text).map(|rate| format!("{rate}"));
        assert_eq!(read("1.5").as_deref(), Ok("1.5"));
        assert_eq!(read("10k").as_deref(), Ok("10000"));
        for wrong in ["-1", "1.5k", "11m", "NaN", "inf", "fast", "5000000000k"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
