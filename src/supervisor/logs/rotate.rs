//! Keeps log files small by copy-and-truncate: children keep their logs open for appending, and
//! must not notice.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::RunDir;
use crate::supervisor::nginx::access_log;

/// Time between two checks of the sizes.
pub(in crate::supervisor) const INTERVAL: Duration = Duration::from_secs(10);
/// A log that is larger becomes `NAME.log.1`, which replaces the previous one.
pub(in crate::supervisor) const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// Rotates every log in `run_dir` that has grown large, except the one that its
/// [reader](access_log) rotates. Lines written while a log is copied may be lost.
pub(in crate::supervisor) fn rotate(run_dir: &RunDir) {
    let Ok(entries) = fs::read_dir(run_dir.logs()) else {
        return;
    };
    let read_along = run_dir.log(access_log::NAME);
    let paths = entries.flatten().map(|entry| entry.path());
    for path in paths.filter(|path| *path != read_along) {
        let large = fs::metadata(&path).is_ok_and(|log| log.is_file() && log.len() > MAX_BYTES);
        if large
            && path.extension().is_some_and(|extension| extension == "log")
            && let Err(error) = copy_and_truncate(&path, || Ok(()))
        {
            tracing::warn!(log = %path.display(), "cannot rotate the log: {error}");
        }
    }
}

/// Copies `log` to the [former] one and empties it. `at_last` runs just before the log is emptied.
pub(in crate::supervisor) fn copy_and_truncate(
    log: &Path,
    at_last: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    fs::copy(log, former(log))?;
    let log = OpenOptions::new().write(true).open(log)?;
    at_last()?;
    log.set_len(0)
}

/// The file to which the log's content is copied.
pub(in crate::supervisor) fn former(log: &Path) -> PathBuf {
    let mut former = log.as_os_str().to_owned();
    former.push(".1");
    PathBuf::from(former)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_large_log_is_moved_under_its_writer() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path());
        run_dir.create().unwrap();
        let log = run_dir.log("erlmcp1");
        let mut writer = OpenOptions::new().append(true).create(true).open(&log).unwrap();
        writer
            .write_all(&vec![b'x'; usize::try_from(MAX_BYTES).unwrap() + 1])
            .unwrap();
        fs::write(run_dir.log("erlmcp2"), "small").unwrap();
        rotate(&run_dir);
        writer.write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), "after\n");
        assert_eq!(
            fs::metadata(run_dir.logs().join("erlmcp1.log.1")).unwrap().len(),
            MAX_BYTES + 1
        );
        assert!(!run_dir.logs().join("erlmcp2.log.1").exists());
    }
}
