//! Logging: only changes, one line each. `CLUSTERCTL_LOG` is its filter, `info` by default.

mod journal;
mod throttle;

pub use throttle::Throttle;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use journal::Journal;

/// Sends the log lines of this process to standard error, or to the journal of systemd where that is
/// what standard error goes to. Later calls change nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env("CLUSTERCTL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // Only a second call fails, and the first one stays in effect.
    let _already = match Journal::behind_stderr() {
        Some(journal) => tracing_subscriber::registry()
            .with(filter)
            .with(journal)
            .try_init(),
        None => lines(filter),
    };
}

// Private

fn lines(filter: EnvFilter) -> Result<(), tracing_subscriber::util::TryInitError> {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_target(false)
        .with_writer(std::io::stderr)
        // A line that cannot be written, on a full disk, is lost; an error on the same stream would
        // panic.
        .log_internal_errors(false)
        .finish()
        .try_init()
}
