//! Logging: only changes, one line each. `CLUSTERCTL_LOG` is its filter, `info` by default.

mod throttle;

pub use throttle::Throttle;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sends the log lines of this process to standard error. Later calls change nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env("CLUSTERCTL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // Only a second call fails, and the first one stays in effect.
    let _already = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_target(false)
        .with_writer(std::io::stderr)
        // A line that cannot be written, on a full disk, is lost; an error on the same stream would
        // panic.
        .log_internal_errors(false)
        .try_init();
}
