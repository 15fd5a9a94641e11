//! Ends the descendants of a child whose own process has ended.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::Descendants;
use crate::platform::Identity;
use crate::platform::process_table::Entry;
use crate::supervisor::process::stop_sequence::StopSequence;

/// The time that descendants get after SIGTERM when they got no signal before.
pub(in crate::supervisor) const LEFT_BEHIND_GRACE: Duration = Duration::from_secs(2);

/// After this many SIGKILLs, one second apart, a process is taken to be stuck in the kernel.
const MAX_KILLS: u32 = 10;
/// Time between two checks of processes that are to end.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Ends `descendants`: waits for `first`, then carries out the stop sequence `stop_sequence`, until
/// none is left.
///
/// # Errors
/// When some, which are named, are still there after all that, or a signal is refused.
pub(in crate::supervisor) async fn end(
    descendants: Descendants,
    first: Duration,
    mut stop_sequence: StopSequence,
) -> io::Result<()> {
    let mut until = Instant::now() + first;
    let mut current = None;
    let mut signalled: BTreeSet<Identity> = BTreeSet::new();
    let mut kills = 0;
    loop {
        let left = found(&descendants).await?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            if kills == MAX_KILLS {
                let text = format!("{} does not end, even after SIGKILL", names(&left));
                return Err(io::Error::other(text));
            }
            let (signal, time) = stop_sequence.next_signal();
            tracing::info!(%signal, "ending processes that were left running: {}", names(&left));
            kills += u32::from(signal == Signal::SIGKILL);
            current = Some(signal);
            until = Instant::now() + time;
            signalled.clear();
        }
        if let Some(signal) = current {
            for entry in left.iter().filter(|entry| !signalled.contains(&entry.process)) {
                entry.process.signal(signal)?;
            }
            signalled.extend(left.iter().map(|entry| entry.process));
        }
        gone(&left, until).await;
    }
}

// Private

async fn found(descendants: &Descendants) -> io::Result<Vec<Entry>> {
    let descendants = descendants.clone();
    let found = tokio::task::spawn_blocking(move || descendants.find());
    found.await.map_err(io::Error::other)
}

/// Waits until all of `processes` have ended, or until the time `until`.
async fn gone(processes: &[Entry], until: Instant) {
    while Instant::now() < until && processes.iter().any(|entry| entry.process.is_alive()) {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// `python3 (pid 4711), sleep (pid 4712)`.
fn names(processes: &[Entry]) -> String {
    /// Only this many are named; of the others, the number is given.
    const MAX_NAMED: usize = 5;
    let mut names: Vec<String> = processes
        .iter()
        .take(MAX_NAMED)
        .map(|entry| format!("{} (pid {})", entry.command, entry.process.pid))
        .collect();
    if processes.len() > MAX_NAMED {
        names.push(format!("and {} more", processes.len() - MAX_NAMED));
    }
    names.join(", ")
}
