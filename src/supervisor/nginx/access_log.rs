//! Follows nginx's access log: the counts are kept however often the file starts again.
//!
//! Rotation must not lose lines that were not read yet, so the reader itself rotates this log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::observe::access_log::{Lines, Tally};
use crate::platform::usage::age;
use crate::supervisor::logs::rotate;
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::Record;

/// The log's file name.
pub(in crate::supervisor) use crate::render::NGINX_ACCESS_LOG as NAME;
/// Time between two reads of the file.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The most that one read covers: the work of about a second, 200,000 lines.
const MAX_UNREAD_BYTES: u64 = 64 * 1024 * 1024;
/// The size of one block that is read.
const BLOCK_BYTES: usize = 64 * 1024;

/// After a switch to nginx, its log is read from this long ago on: what nginx wrote before it took
/// over counts, too.
const BEFORE_SWITCH: Duration = Duration::from_secs(5);

/// The log, and the counts from it, while nginx is the balancer.
pub(in crate::supervisor) struct AccessLog {
    spec: Arc<ArcSwap<Spec>>,
    reader: Mutex<Option<Reader>>,
}

impl AccessLog {
    /// The access log of the balancer, while that is nginx. For a new nginx, it counts what is
    /// written from now on; for one that `record` knows, everything since that nginx started, as
    /// far as the file and the one before it go back.
    pub(in crate::supervisor) fn of(spec: &Arc<ArcSwap<Spec>>, record: Option<&Record>) -> Arc<AccessLog> {
        let current = spec.load();
        let path = current.balancer.access_log(&current.run_dir);
        let kind = current.balancer.kind();
        let started = record
            .iter()
            .flat_map(|record| record.living())
            .filter(|child| child.name == kind.name())
            .filter_map(|child| age(child.process))
            .max();
        let reader = path.map(|path| match started {
            Some(age) => Reader::since(path, SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH)),
            None => Reader::at_end(path),
        });
        Arc::new(AccessLog {
            spec: Arc::clone(spec),
            reader: Mutex::new(reader),
        })
    }

    /// Follows the log until the shutdown is ordered.
    pub(in crate::supervisor) async fn follow(self: Arc<Self>, end: CancellationToken) {
        let mut snapshots = tokio::time::interval(POLL_INTERVAL);
        snapshots.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = snapshots.tick() => {}
                () = end.cancelled() => return,
            }
            self.with_reader(Reader::go_on).await;
        }
    }

    /// The counts until now.
    pub(in crate::supervisor) async fn tally(self: &Arc<Self>) -> Tally {
        let tally = self.with_reader(|reader| {
            reader.go_on();
            reader.tally.clone()
        });
        tally.await.unwrap_or_default()
    }

    // Private

    /// Runs `work` on a thread where it may block.
    async fn with_reader<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Reader) -> T + Send + 'static,
    ) -> Option<T> {
        let log = Arc::clone(self);
        let worked = tokio::task::spawn_blocking(move || {
            let mut reader = log.reader.lock().unwrap_or_else(PoisonError::into_inner);
            log.follow_switches(&mut reader);
            reader.as_mut().map(work)
        });
        worked.await.ok().flatten()
    }

    /// Another balancer than nginx has no access log of this kind.
    fn follow_switches(&self, reader: &mut Option<Reader>) {
        let spec = self.spec.load();
        let path = spec.balancer.access_log(&spec.run_dir);
        if path.is_none() || reader.is_none() {
            let start = SystemTime::now().checked_sub(BEFORE_SWITCH);
            *reader = path.map(|path| Reader::since(path, start.unwrap_or(UNIX_EPOCH)));
        }
    }
}

// Private

struct Reader {
    path: PathBuf,
    /// The file that was read, and the position up to which it was read.
    inode: u64,
    position: u64,
    lines: Lines,
    tally: Tally,
    /// Why the last read failed; logged once.
    trouble: Option<String>,
}

impl Reader {
    /// A reader of what is written from now on.
    fn at_end(path: PathBuf) -> Reader {
        let (inode, position) = std::fs::metadata(&path).map_or((0, 0), |log| (log.ino(), log.len()));
        Reader {
            path,
            inode,
            position,
            lines: Lines::default(),
            tally: Tally::default(),
            trouble: None,
        }
    }

    /// A reader of everything written since `start`, including the file that was last rotated.
    fn since(path: PathBuf, start: SystemTime) -> Reader {
        let seconds = start.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let former = rotate::former(&path);
        let mut reader = Reader {
            path,
            inode: 0,
            position: 0,
            lines: Lines::default(),
            tally: Tally::since(seconds),
            trouble: None,
        };
        let is_of_it = |log: std::fs::Metadata| log.modified().is_ok_and(|written| written >= start);
        if std::fs::metadata(&former).is_ok_and(is_of_it) {
            // If the rotated file cannot be read, the counts are only lower.
            let _read_or_not = File::open(former).and_then(|mut log| reader.read(&mut log));
            reader.lines.cut(&mut reader.tally);
            reader.position = 0;
        }
        reader
    }

    /// Reads the new lines, and rotates the file when it has grown large.
    fn go_on(&mut self) {
        let done = self.snapshot().and_then(|_| self.rotate());
        let trouble = done.err().map(|error| error.to_string());
        if let Some(why) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            tracing::warn!(log = %self.path.display(), "cannot read the log: {why}");
        }
        self.trouble = trouble;
    }

    /// Reads the new lines. Returns whether the end was reached.
    fn snapshot(&mut self) -> io::Result<bool> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            opened => opened?,
        };
        let log = file.metadata()?;
        // Another process has moved or emptied the file.
        if self.inode != log.ino() || log.len() < self.position {
            self.restart();
        }
        self.inode = log.ino();
        self.read(&mut file)
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.position <= rotate::MAX_BYTES {
            return Ok(());
        }
        let path = self.path.clone();
        // Lines written while the file is copied may or may not be in the copy; they are read here
        // in any case.
        rotate::copy_and_truncate(&path, || {
            let is_all = self.snapshot()?;
            is_all
                .then_some(())
                .ok_or_else(|| io::Error::other("the log grows faster than it is read"))
        })?;
        self.restart();
        Ok(())
    }

    fn restart(&mut self) {
        self.lines.cut(&mut self.tally);
        self.position = 0;
    }

    /// Reads on from the last position, to the end or up to the most that one read covers. Returns
    /// whether the end was reached.
    fn read(&mut self, file: &mut File) -> io::Result<bool> {
        let until = file.seek(SeekFrom::Start(self.position))? + MAX_UNREAD_BYTES;
        let mut block = vec![0; BLOCK_BYTES];
        while self.position < until {
            let count = file.read(&mut block)?;
            if count == 0 {
                return Ok(true);
            }
            self.position += count as u64;
            self.lines.read(&block[..count], &mut self.tally);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::observe::access_log::Kind;

    const LINE: &str = "{\"kind\":\"tcp\"}\n";

    fn log(content: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nginx-access.log");
        fs::write(&path, content).unwrap();
        (dir, path)
    }

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn sessions(reader: &mut Reader) -> u64 {
        reader.go_on();
        reader.tally.of(Kind::Tcp).front.sessions
    }

    #[test]
    fn a_new_reader_counts_only_new_lines() {
        let (_dir, path) = log(LINE);
        let mut reader = Reader::at_end(path.clone());
        assert_eq!(sessions(&mut reader), 0);
        append(&path, &LINE.repeat(2));
        assert_eq!(sessions(&mut reader), 2);
        // A partial line does not count yet.
        append(&path, &LINE[..5]);
        assert_eq!(sessions(&mut reader), 2);
        append(&path, &LINE[5..]);
        assert_eq!((sessions(&mut reader), reader.tally.strange()), (3, 0));
    }

    #[test]
    fn a_missing_log_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nginx-access.log");
        let mut reader = Reader::at_end(path.clone());
        assert_eq!(sessions(&mut reader), 0);
        append(&path, LINE);
        assert_eq!((sessions(&mut reader), reader.trouble), (1, None));
    }

    #[test]
    fn a_reader_since_a_time_counts_both_files_from_it() {
        let (_dir, path) = log("{\"kind\":\"tcp\",\"time\":99.9}\n{\"kind\":\"tcp\",\"time\":\"100.1\"}\n");
        fs::write(rotate::former(&path), "{\"kind\":\"tcp\",\"time\":100}\n").unwrap();
        let mut reader = Reader::since(path, UNIX_EPOCH + Duration::from_secs(100));
        assert_eq!(sessions(&mut reader), 2);
    }

    #[test]
    fn rotation_loses_nothing_that_was_counted() {
        let filler = format!("{{\"kind\":\"tcp\",\"uri\":\"{}\"}}\n", "x".repeat(8_000));
        let lines = usize::try_from(rotate::MAX_BYTES).unwrap() / filler.len() + 1;
        let (_dir, path) = log("");
        let mut reader = Reader::at_end(path.clone());
        append(&path, &filler.repeat(lines));
        let all = u64::try_from(lines).unwrap();
        assert_eq!(sessions(&mut reader), all);
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert!(fs::metadata(rotate::former(&path)).unwrap().len() > rotate::MAX_BYTES);
        append(&path, LINE);
        assert_eq!(sessions(&mut reader), all + 1);
    }

    #[test]
    fn a_log_moved_or_emptied_by_others_is_read_on() {
        let (_dir, path) = log("");
        let mut reader = Reader::at_end(path.clone());
        append(&path, &LINE.repeat(2));
        assert_eq!(sessions(&mut reader), 2);
        fs::write(&path, LINE).unwrap();
        assert_eq!(sessions(&mut reader), 3);
        fs::rename(&path, path.with_extension("old")).unwrap();
        append(&path, &LINE.repeat(5));
        assert_eq!(sessions(&mut reader), 8);
    }
}
