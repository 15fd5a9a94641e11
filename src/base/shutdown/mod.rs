//! The end, as a value: ordered once, heard everywhere, by those who ask later too.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Orders the end.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// Hears that the end was ordered.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// A pair of one who orders and one who hears; the latter can be cloned.
#[must_use]
pub fn channel() -> (Trigger, Shutdown) {
    let (order, heard) = watch::channel(false);
    (Trigger(order), Shutdown(heard))
}

/// The end as this process is told to end: by SIGTERM or SIGINT.
///
/// # Errors
/// When the signals cannot be caught.
///
/// # Panics
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

/// The same, and when its terminal is closed (SIGHUP).
///
/// # Errors
/// When the signals cannot be caught.
///
/// # Panics
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
    /// Orders the end.
    pub fn order(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Waits for the order. A trigger that is dropped counts as an order: nobody else could give it any more.
    pub async fn ordered(&self) {
        let mut heard = self.0.clone();
        // The only error is that the trigger is gone.
        let _gone = heard.wait_for(|ordered| *ordered).await;
    }

    /// Whether the end was ordered.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_order_is_heard_by_all_and_stays_given() {
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
    async fn a_signal_is_an_order() {
        let shutdown = on_signal().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGTERM).unwrap();
        shutdown.ordered().await;
    }

    #[tokio::test]
    async fn without_a_trigger_the_end_has_come() {
        let (trigger, shutdown) = channel();
        drop(trigger);
        shutdown.ordered().await;
        assert!(shutdown.is_ordered());
    }
}
