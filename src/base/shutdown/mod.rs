//! A shutdown signal as a value: it is given once, and seen by all waiters, including later ones.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Gives the shutdown signal.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// Waits for the shutdown signal. It can be cloned.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// A connected pair of trigger and receiver.
#[must_use]
pub fn channel() -> (Trigger, Shutdown) {
    let (order, heard) = watch::channel(false);
    (Trigger(order), Shutdown(heard))
}

/// A shutdown that SIGTERM or SIGINT triggers.
///
/// # Errors
///
/// If the signals cannot be caught.
///
/// # Panics
///
/// Outside of a tokio runtime.
pub fn on_signal() -> io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (trigger, shutdown) = channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        trigger.order();
    });
    Ok(shutdown)
}

/// A shutdown that SIGTERM, SIGINT or the end of the terminal (SIGHUP) triggers.
///
/// # Errors
///
/// If the signals cannot be caught.
///
/// # Panics
///
/// Outside of a tokio runtime.
pub fn on_signal_or_hangup() -> io::Result<Shutdown> {
    let mut hangup = signal(SignalKind::hangup())?;
    let told = on_signal()?;
    let (trigger, shutdown) = channel();
    tokio::spawn(async move {
        tokio::select! {
            () = told.ordered() => {}
            _ = hangup.recv() => {}
        }
        trigger.order();
    });
    Ok(shutdown)
}

impl Trigger {
    /// Triggers the shutdown.
    pub fn order(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Waits for the shutdown. A dropped trigger counts as a shutdown, because nothing could
    /// trigger it any more.
    pub async fn ordered(&self) {
        let mut heard = self.0.clone();
        // The only error is that the trigger was dropped.
        let _gone = heard.wait_for(|ordered| *ordered).await;
    }

    /// Whether the shutdown was triggered.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shutdown_reaches_all_and_stays_triggered() {
        let (trigger, shutdown) = channel();
        let other = shutdown.clone();
        assert!(!shutdown.is_ordered());
        let waiting = tokio::spawn(async move { other.ordered().await });
        trigger.order();
        waiting.await.unwrap();
        shutdown.ordered().await;
        assert!(shutdown.is_ordered());
    }

    #[tokio::test]
    async fn a_signal_triggers_the_shutdown() {
        let shutdown = on_signal().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGTERM).unwrap();
        shutdown.ordered().await;
    }

    #[tokio::test]
    async fn a_dropped_trigger_is_a_shutdown() {
        let (trigger, shutdown) = channel();
        drop(trigger);
        shutdown.ordered().await;
        assert!(shutdown.is_ordered());
    }
}
