//! The service manager that started this process, such as systemd, by the protocol of
//! `sd_notify(3)`.

use std::io;
use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};

/// The service manager, where it expects notifications of this process.
#[derive(Clone, Copy, Debug)]
pub struct ServiceManager {
    /// It takes this process for hung after so long without a [`Notification::Alive`].
    watchdog: Option<Duration>,
}

/// What a service manager is notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification<'a> {
    /// Everything serves; also that a reload is over.
    Ready,
    /// A reload has begun.
    Reloading,
    /// Everything is being stopped.
    Stopping,
    /// A sentence for people.
    Status(&'a str),
    /// This process does its work.
    Alive,
}

impl ServiceManager {
    /// The service manager that `NOTIFY_SOCKET` names.
    #[must_use]
    pub fn of_this_process() -> Option<ServiceManager> {
        let socket = std::env::var_os("NOTIFY_SOCKET")?;
        (!socket.is_empty()).then(|| ServiceManager {
            watchdog: watchdog_enabled(),
        })
    }

    /// The longest time between two [`Notification::Alive`], if the service manager expects them.
    #[must_use]
    pub fn watchdog(self) -> Option<Duration> {
        self.watchdog
    }

    /// Sends the notifications in one message.
    ///
    /// # Errors
    /// When the service manager's socket does not take it.
    pub fn notify(self, notifications: &[Notification<'_>]) -> io::Result<()> {
        let mut states = Vec::new();
        for notification in notifications {
            match notification {
                Notification::Ready => states.push(NotifyState::Ready),
                Notification::Reloading => {
                    // systemd 253 and later compare the time with that of their reload signal.
                    states.extend([NotifyState::Reloading, NotifyState::monotonic_usec_now()?]);
                }
                Notification::Stopping => states.push(NotifyState::Stopping),
                Notification::Status(text) => states.push(NotifyState::Status(text)),
                Notification::Alive => states.push(NotifyState::Watchdog),
            }
        }
        notify(&states)
    }
}
