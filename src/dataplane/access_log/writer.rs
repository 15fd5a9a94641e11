//! The thread that writes lines to the file.

use std::io::{self, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use super::{AccessLog, Change, Line, LogFile};
use crate::base::telemetry::Throttle;

/// Time between two looks whether the file was renamed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two warnings.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Writes the lines of `log` until the order to end.
pub(super) fn run(log: &AccessLog) {
    let mut writer = Writer {
        log,
        file: None,
        looked: None,
        batch: Vec::new(),
        is_torn: false,
        dropped: 0,
        warnings: Throttle::new(LOG_INTERVAL),
    };
    loop {
        let (change, end) = log.wait();
        if let Some(Change { file, done }) = change {
            writer.use_file(file);
            // The reload may not wait any more.
            let _gone = done.send(());
        }
        writer.write_lanes();
        if let Some(end) = end {
            let _gone = end.send(());
            return;
        }
    }
}

// Private

struct Writer<'a> {
    log: &'a AccessLog,
    file: Option<LogFile>,
    /// When the file's path was looked at last.
    looked: Option<Instant>,
    batch: Vec<u8>,
    /// The file ends with a part of a line.
    is_torn: bool,
    /// Lines that were dropped, which no line in the file says yet.
    dropped: u64,
    warnings: Throttle,
}

impl Writer<'_> {
    fn use_file(&mut self, file: Option<LogFile>) {
        self.file = file;
        self.looked = None;
        self.is_torn = false;
    }

    /// Writes the lines of all lanes.
    fn write_lanes(&mut self) {
        self.reopen_moved();
        let mut wrote = false;
        for lane in &self.log.lanes {
            self.batch.clear();
            lane.take(&mut self.batch);
            self.note_dropped();
            wrote |= !self.batch.is_empty();
            if !self.write_batch() && self.log.has_orders() {
                // Perhaps to another file, which gets the lines of the other lanes.
                return;
            }
        }
        if self.dropped > 0 {
            self.batch.clear();
            let _later = self.write_batch();
        }
        if !wrote {
            // Nothing has come for a while.
            self.batch = Vec::new();
            self.log.lanes.iter().for_each(super::Lane::shrink);
        }
    }

    /// Opens the file again if its path leads to another one, or to none.
    fn reopen_moved(&mut self) {
        let now = Instant::now();
        let Some(file) = &self.file else { return };
        if self.looked.is_some_and(|at| now < at + LOOK_INTERVAL) {
            return;
        }
        self.looked = Some(now);
        if !file.was_moved() {
            return;
        }
        match LogFile::open(file.path()) {
            Ok(file) => self.use_file(Some(file)),
            Err(error) => {
                if let Some(times) = self.warnings.after(now) {
                    tracing::warn!(%error, times, "the access log was renamed: its lines go to the renamed file");
                }
            }
        }
    }

    /// Writes the batch, after a line about dropped ones. Returns whether all of it was written.
    fn write_batch(&mut self) -> bool {
        if self.file.is_none() {
            self.dropped = 0;
            return true;
        }
        let reported = std::mem::take(&mut self.dropped);
        let mut first = Vec::new();
        if self.is_torn {
            first.push(b'\n');
        }
        if reported > 0 {
            let mut line = Line::begin(SystemTime::now());
            line.number("dropped", reported);
            line.end_into(&mut first);
        }
        let batch = std::mem::take(&mut self.batch);
        let mut outcome = self.write(&first).map_err(|(_, error)| (0, error));
        if outcome.is_err() {
            self.dropped += reported;
        } else {
            outcome = self.write(&batch);
        }
        if let Err((written, error)) = &outcome {
            let lost = count_lines(&batch[*written..]);
            self.log.dropped.fetch_add(lost, Relaxed);
            self.drop_lines(lost, &error.to_string());
        }
        self.batch = batch;
        outcome.is_ok()
    }

    /// Writes all of `bytes`. An error comes with the number of bytes that were written.
    fn write(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut at = 0;
        while let Some(file) = &self.file
            && at < bytes.len()
        {
            match file.file().write(&bytes[at..]) {
                Ok(0) => return Err((at, io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    at += written;
                    self.is_torn = bytes[at - 1] != b'\n';
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The reader of a pipe is slow.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.log.pause() => {
                    self.note_dropped();
                }
                Err(error) => return Err((at, error)),
            }
        }
        Ok(())
    }

    /// Notes the lines that workers have dropped.
    fn note_dropped(&mut self) {
        let lines = self.log.lanes.iter().map(super::Lane::take_dropped).sum();
        self.drop_lines(lines, "its file is too slow");
    }

    fn drop_lines(&mut self, lines: u64, reason: &str) {
        if lines == 0 || self.file.is_none() {
            return;
        }
        self.dropped += lines;
        if let Some(times) = self.warnings.after(Instant::now()) {
            let all = self.log.dropped();
            tracing::warn!(lines, all, times, reason, "lines of the access log are dropped");
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').skip(1).count() as u64
}
