//! How a process is ended: by signals, one after another, until it has ended.

use std::time::Duration;

use nix::sys::signal::Signal;

/// Signals that end a process, each with the time that the process gets; the last one, SIGKILL, is
/// not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) struct StopSequence(pub(in crate::supervisor) Vec<(Signal, Duration)>);

impl StopSequence {
    /// Sends SIGKILL at once.
    pub(in crate::supervisor) fn kill() -> StopSequence {
        StopSequence(Vec::new())
    }

    /// The next signal, and the time until the one after it.
    pub(in crate::supervisor) fn next_signal(&mut self) -> (Signal, Duration) {
        // A process that SIGKILL does not end is stuck in the kernel; SIGKILL is then sent again.
        const KILL_INTERVAL: Duration = Duration::from_secs(1);
        if self.0.is_empty() {
            (Signal::SIGKILL, KILL_INTERVAL)
        } else {
            self.0.remove(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigkill_is_repeated_until_the_end() {
        let mut stop_sequence = StopSequence(vec![(Signal::SIGTERM, Duration::from_secs(2))]);
        assert_eq!(
            stop_sequence.next_signal(),
            (Signal::SIGTERM, Duration::from_secs(2))
        );
        assert_eq!(
            (stop_sequence.next_signal().0, stop_sequence.next_signal().0),
            (Signal::SIGKILL, Signal::SIGKILL)
        );
        assert_eq!(StopSequence::kill().next_signal().0, Signal::SIGKILL);
    }
}
