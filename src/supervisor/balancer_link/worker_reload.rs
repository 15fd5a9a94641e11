//! Reloads a balancer whose master starts new workers on a signal, and waits until no old worker
//! accepts connections.
//!
//! ```text
//!  signal ──▶ new workers ──▶ old ones shut down ──▶ in force
//!     └── the master complains, ends, or takes too long: the old configuration stays in force
//! ```
//!
//! Between the first new worker and the last old one both accept (nginx 1.22: for 100 ms), so an
//! order is in force only at the end of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use crate::platform::usage::age;
use crate::platform::{Identity, Worker};
use crate::supervisor::logs::tail::tail;

/// A master that has not finished by then never will.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Time between two looks at the workers.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// The log level with which a master reports that it cannot reload; the old workers then stay.
const COMPLAINT: &str = "[emerg]";
/// The number of log lines that are read, more than a master writes at once.
const LOG_LINES: usize = 100;

/// Makes `master` start new workers, and waits until the old ones accept nothing more. Returns why
/// that did not happen, as text.
pub(in crate::supervisor) async fn reload_workers(
    master: Identity,
    signal: Signal,
    log: &Path,
) -> Result<(), String> {
    let old: BTreeSet<u32> = workers(master).iter().map(|worker| worker.pid).collect();
    let since = std::fs::metadata(log).map_or(0, |log| log.len());
    let deadline = Instant::now() + RELOAD_TIMEOUT;
    master.signal(signal).map_err(|error| error.to_string())?;
    loop {
        let accepting = workers(master);
        let (kept, new): (Vec<_>, Vec<_>) = accepting.iter().partition(|worker| old.contains(&worker.pid));
        if kept.is_empty() && !new.is_empty() {
            return Ok(());
        }
        if let Some(complaint) = complaint(log, since) {
            return Err(complaint);
        }
        if !master.is_alive() {
            return Err("it has ended".to_owned());
        }
        if Instant::now() >= deadline {
            return Err(format!(
                "its workers were not replaced within {} s",
                RELOAD_TIMEOUT.as_secs()
            ));
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Whether every worker of `master` that accepts connections has started after the file at `path`
/// was written.
pub(in crate::supervisor) fn is_in_force(master: Identity, path: &Path) -> bool {
    let written = std::fs::metadata(path).and_then(|file| file.modified());
    let Some(since) = written
        .ok()
        .and_then(|written| SystemTime::now().duration_since(written).ok())
    else {
        return false;
    };
    let workers = workers(master);
    !workers.is_empty()
        && workers.iter().all(|worker| {
            Identity::of(worker.pid)
                .and_then(age)
                .is_some_and(|age| age < since)
        })
}

// Private

/// The workers that accept connections.
fn workers(master: Identity) -> Vec<Worker> {
    Worker::of(master)
        .into_iter()
        .filter(|worker| worker.title == "nginx: worker process")
        .collect()
}

/// The master's error message, if it logged one since its log had this length.
fn complaint(log: &Path, since: u64) -> Option<String> {
    let lines = tail(log, since, LOG_LINES);
    let line = lines.iter().find_map(|line| line.split_once(COMPLAINT))?;
    Some(line.1.trim().to_owned())
}
