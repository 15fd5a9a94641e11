//! The access log: a line of JSON for each request over HTTP, when it is over.
//!
//! ```text
//!   worker 0 ── Lane ──┐
//!   worker 1 ── Lane ──┼──▶ writer thread ──▶ file
//!   worker n ── Lane ──┘
//! ```
//!
//! A lane is bounded: lines that a file does not take in time are dropped and counted, and no worker
//! ever waits for a file. The writer sleeps while no request ends.

mod file;
mod lane;
mod line;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::server::lock;
use lane::{Filled, Lane};

pub(super) use file::LogFile;
pub(super) use line::Line;

/// How long the writer collects lines before it writes them.
const COLLECT_TIME: Duration = Duration::from_millis(50);
/// How long a reload, and the end of the process, wait for the writer.
const WRITER_TIMEOUT: Duration = Duration::from_secs(2);

/// The access log of the process; without a file, it drops all lines.
#[derive(Debug)]
pub(crate) struct AccessLog {
    lanes: Vec<Lane>,
    orders: Mutex<Orders>,
    changed: Condvar,
    /// Lines that were never written.
    dropped: AtomicU64,
}

/// What the writer has to do.
#[derive(Debug, Default)]
struct Orders {
    /// The writer thread exists.
    has_writer: bool,
    /// A lane has lines.
    has_lines: bool,
    /// A lane is half full.
    is_urgent: bool,
    change: Option<Change>,
    /// To write what is there, and end.
    end: Option<oneshot::Sender<()>>,
}

/// Another file, or none.
#[derive(Debug)]
struct Change {
    file: Option<LogFile>,
    done: oneshot::Sender<()>,
}

/// The reason why an access log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the access log `{}`: {source}", .path.display())]
pub struct AccessLogError {
    path: PathBuf,
    source: io::Error,
}

impl AccessLog {
    /// The access log of this many workers, without a file.
    pub(crate) fn new(workers: u16) -> AccessLog {
        AccessLog {
            lanes: (0..workers).map(|_| Lane::default()).collect(),
            orders: Mutex::default(),
            changed: Condvar::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Hands over `lines` lines of a worker, and empties its buffer. What has no room is dropped.
    pub(crate) fn hand_over(&self, worker: u16, bytes: &mut Vec<u8>, lines: u32) {
        let Some(lane) = self.lanes.get(usize::from(worker)) else {
            return bytes.clear();
        };
        match lane.add(bytes, lines) {
            Filled::Some => {}
            Filled::First => self.wake(false),
            Filled::Half => self.wake(true),
            Filled::Full => {
                self.dropped.fetch_add(u64::from(lines), Relaxed);
            }
        }
    }

    /// Writes to another file, or to none, from now on. Waits until the former file is closed, unless
    /// that takes too long.
    ///
    /// # Errors
    /// If the writer thread cannot be started; then nothing changes.
    pub(crate) async fn write_to(self: &Arc<Self>, file: Option<LogFile>) -> io::Result<()> {
        let is_on = file.is_some();
        let (done, changed) = oneshot::channel();
        {
            let mut orders = lock(&self.orders);
            if !orders.has_writer {
                if !is_on {
                    return Ok(());
                }
                self.start_writer()?;
                orders.has_writer = true;
            }
            orders.change = Some(Change { file, done });
        }
        self.changed.notify_one();
        // A file that takes no bytes must not hold up a reload.
        let _stuck = tokio::time::timeout(WRITER_TIMEOUT, changed).await;
        Ok(())
    }

    /// Writes all lines, and ends the writer.
    pub(crate) async fn end(&self) {
        let (done, ended) = oneshot::channel();
        {
            let mut orders = lock(&self.orders);
            if !orders.has_writer {
                return;
            }
            orders.end = Some(done);
        }
        self.changed.notify_one();
        if tokio::time::timeout(WRITER_TIMEOUT, ended).await.is_err() {
            tracing::warn!("the access log does not take its last lines: they are lost");
        }
    }

    /// Lines that were never written.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    // Private

    fn start_writer(self: &Arc<Self>) -> io::Result<()> {
        let log = Arc::clone(self);
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer::run(&log))?;
        Ok(())
    }

    fn wake(&self, is_urgent: bool) {
        {
            let mut orders = lock(&self.orders);
            orders.has_lines = true;
            orders.is_urgent |= is_urgent;
        }
        self.changed.notify_one();
    }

    /// Waits until there is something to do, and a little longer, so that many lines are written at
    /// once. Returns a change and the order to end.
    fn wait(&self) -> (Option<Change>, Option<oneshot::Sender<()>>) {
        let idle = |orders: &mut Orders| !orders.has_lines && !orders.must_act();
        let orders = self.changed.wait_while(lock(&self.orders), idle);
        let orders = orders.unwrap_or_else(PoisonError::into_inner);
        let collects = |orders: &mut Orders| !orders.is_urgent && !orders.must_act();
        let orders = self.changed.wait_timeout_while(orders, COLLECT_TIME, collects);
        let (mut orders, _) = orders.unwrap_or_else(PoisonError::into_inner);
        (orders.has_lines, orders.is_urgent) = (false, false);
        (orders.change.take(), orders.end.take())
    }

    /// Waits for a moment; returns whether there is an order.
    fn pause(&self) -> bool {
        let waits = |orders: &mut Orders| !orders.must_act();
        let orders = self
            .changed
            .wait_timeout_while(lock(&self.orders), COLLECT_TIME, waits);
        orders.unwrap_or_else(PoisonError::into_inner).0.must_act()
    }

    fn has_orders(&self) -> bool {
        lock(&self.orders).must_act()
    }
}

impl Orders {
    const fn must_act(&self) -> bool {
        self.change.is_some() || self.end.is_some()
    }
}
