//! The service manager that started this process, such as systemd, by the protocol of
//! `sd_notify(3)`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::{NotifyState, watchdog_enabled};

/// The variable that names the service manager's socket.
const SOCKET: &str = "NOTIFY_SOCKET";
/// The longest wait for a service manager that does not read its messages.
const SEND_TIMEOUT: Duration = Duration::from_millis(200);

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
        let socket = std::env::var_os(SOCKET)?;
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
        let Some(socket) = std::env::var_os(SOCKET) else {
            return Ok(());
        };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        let message = lines.join("\n") + "\n";
        send(&socket, message.as_bytes())
    }
}

// Private

/// Sends a message to the socket at a path, or to `@NAME` in the kernel's abstract namespace.
fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_write_timeout(Some(SEND_TIMEOUT))?;
    sender.send_to_addr(message, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_reach_sockets_with_paths_and_abstract_names() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("clusterctl-test-{}", std::process::id());
        let receivers = [
            (path.clone().into_os_string(), SocketAddr::from_pathname(&path)),
            (format!("@{name}").into(), SocketAddr::from_abstract_name(&name)),
        ];
        for (socket, address) in receivers {
            let receiver = UnixDatagram::bind_addr(&address.unwrap()).unwrap();
            send(&socket, b"READY=1\n").unwrap();
            let mut buffer = [0; 16];
            let length = receiver.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1\n");
        }
    }

    #[test]
    fn a_service_manager_that_reads_nothing_does_not_hang_this_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _reads_nothing = UnixDatagram::bind(&path).unwrap();
        let failure = (0..100_000).find_map(|_| send(path.as_os_str(), b"WATCHDOG=1\n").err());
        assert_eq!(failure.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
