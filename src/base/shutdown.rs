//! The shutdown of this process by a signal.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A shutdown in two steps: the first signal begins it, the second one ends it at once.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Cancelled by the first signal.
    pub begun: CancellationToken,
    /// Cancelled by the second signal: what is still waited for is skipped.
    pub at_once: CancellationToken,
}

impl Shutdown {
    /// A shutdown by SIGTERM or SIGINT.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn on_signals() -> io::Result<Shutdown> {
        let shutdown = Shutdown::default();
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let steps = [shutdown.begun.clone(), shutdown.at_once.clone()];
        tokio::spawn(async move {
            for step in steps {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                step.cancel();
            }
        });
        Ok(shutdown)
    }

    /// Waits for `time`, or until the shutdown has to end at once.
    pub async fn wait(&self, time: Duration) {
        if !time.is_zero() {
            let _at_once = tokio::time::timeout(time, self.at_once.cancelled()).await;
        }
    }
}

/// Cancelled by SIGTERM, SIGINT, or SIGHUP: the terminal was closed.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn on_signal_or_hangup() -> io::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ] {
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
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    #[tokio::test]
    async fn the_first_signal_begins_it_and_the_second_one_ends_it() {
        let shutdown = Shutdown::on_signals().unwrap();
        assert!(!shutdown.begun.is_cancelled());
        kill(Pid::this(), Signal::SIGTERM).unwrap();
        shutdown.begun.cancelled().await;
        assert!(!shutdown.at_once.is_cancelled());
        kill(Pid::this(), Signal::SIGINT).unwrap();
        shutdown.wait(Duration::from_hours(1)).await;
        assert!(shutdown.at_once.is_cancelled());
    }
}
