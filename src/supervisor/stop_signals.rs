//! The signals that stop a cluster whose supervisor runs in front, or that its supervisor receives.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT. The first one that comes after [`StopSignals::listen`] is kept until it is
/// waited for: the kernel discards it in PID 1 of a container as long as nothing listens.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// A closing terminal sends it, which stops nothing.
    hangup: Signal,
}

impl StopSignals {
    /// Receives the signals from now on.
    ///
    /// # Errors
    /// When the kernel does not deliver them.
    pub fn listen() -> io::Result<StopSignals> {
        Ok(StopSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {}
            }
        }
    }
}
