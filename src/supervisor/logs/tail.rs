//! The end of a log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// No more than this is read, however long the lines are.
const MAX_BYTES: u64 = 16 * 1024;

/// The last `lines` lines of the file at `path` that were written at or after byte `since`; none
/// when the file cannot be read.
pub(in crate::supervisor) fn tail(path: &Path, since: u64, lines: usize) -> Vec<String> {
    read_end(path, since).map_or_else(
        |_| Vec::new(),
        |text| {
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..]
                .iter()
                .map(|line| (*line).to_owned())
                .collect()
        },
    )
}

// Private

fn read_end(path: &Path, since: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    // A log that has become shorter has been rotated.
    let since = if since > length { 0 } else { since };
    file.seek(SeekFrom::Start(since.max(length.saturating_sub(MAX_BYTES))))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_since_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "old\none\ntwo\nthree\n").unwrap();
        assert_eq!(tail(&path, 4, 2), ["two", "three"]);
        assert_eq!(tail(&path, 4, 9), ["one", "two", "three"]);
        assert_eq!(tail(&path, 99, 1), ["three"]);
        assert!(tail(&dir.path().join("none"), 0, 9).is_empty());
    }
}
