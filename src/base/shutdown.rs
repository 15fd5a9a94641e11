//! The shutdown of this process by a signal.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled by SIGTERM or SIGINT.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn on_signal() -> io::Result<CancellationToken> {
    on([SignalKind::terminate(), SignalKind::interrupt()])
}

/// Cancelled by SIGTERM, SIGINT, or SIGHUP: the terminal was closed.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn on_signal_or_hangup() -> io::Result<CancellationToken> {
    on([
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ])
}

// Private

fn on<const N: usize>(kinds: [SignalKind; N]) -> io::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    for kind in kinds {
        let (mut signals, shutdown) = (signal(kind)?, shutdown.clone());
        tokio::spawn(async move {
            signals.recv().await;
            shutdown.cancel();
        });
    }
    Ok(shutdown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_cancels() {
        let shutdown = on_signal().unwrap();
        assert!(!shutdown.is_cancelled());
        nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGTERM).unwrap();
        shutdown.cancelled().await;
    }
}
