//! Keeps log files small by copy-and-truncate: children hold theirs open for appending, and must not notice.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::RunDir;

/// Between two looks at the sizes.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// A log that is larger becomes `NAME.log.1`; the one before that is gone.
const LARGE: u64 = 10 * 1024 * 1024;

/// Rotates every log in `run_dir` that has grown large. Lines written while one is copied may be lost.
pub(super) fn rotate(run_dir: &RunDir) {
    let Ok(entries) = fs::read_dir(run_dir.logs()) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let large = fs::metadata(&path).is_ok_and(|log| log.is_file() && log.len() > LARGE);
        if large
            && path.extension().is_some_and(|extension| extension == "log")
            && let Err(error) = copy_and_truncate(&path)
        {
            tracing::warn!(log = %path.display(), "not rotated: {error}");
        }
    }
}

// Private

fn copy_and_truncate(log: &Path) -> io::Result<()> {
    let mut old = log.as_os_str().to_owned();
    old.push(".1");
    fs::copy(log, PathBuf::from(old))?;
    OpenOptions::new().write(true).open(log)?.set_len(0)
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
            .write_all(&vec![b'x'; usize::try_from(LARGE).unwrap() + 1])
            .unwrap();
        fs::write(run_dir.log("erlmcp2"), "small").unwrap();
        rotate(&run_dir);
        writer.write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), "after\n");
        assert_eq!(
            fs::metadata(run_dir.logs().join("erlmcp1.log.1")).unwrap().len(),
            LARGE + 1
        );
        assert!(!run_dir.logs().join("erlmcp2.log.1").exists());
    }
}
