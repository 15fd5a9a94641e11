//! One log file, read from its end and then as it grows.
//!
//! Logs are rotated by copy-and-truncate: `NAME.log` is copied to `NAME.log.1` and starts again at
//! zero length, under the same inode. A process that follows the log finds the file shorter than it
//! was, and what it has not read yet in the copy.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The size of one read.
const BLOCK: u64 = 64 * 1024;
/// A line that is longer is shown in pieces.
const MAX_LINE: usize = 256 * 1024;

/// A log that is followed.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    /// The offset up to which it was read.
    position: u64,
    /// The beginning of a line whose end is still missing.
    partial: Vec<u8>,
}

impl LogFile {
    /// The last `count` lines of the file at `path`, and the file, to be followed from there.
    pub(super) fn tail(path: &Path, count: usize) -> io::Result<(Vec<u8>, LogFile)> {
        let mut file = File::open(path)?;
        let end = file.seek(SeekFrom::End(0))?;
        let start = start_of_last(&mut file, end, count)?;
        let mut log = LogFile {
            path: path.to_owned(),
            position: start,
            partial: Vec::new(),
        };
        let lines = log.advance(&mut file, end)?;
        Ok((lines, log))
    }

    /// The lines that were added since the last call. After a rotation first the rest of the old
    /// lines; the new ones follow with the next call.
    pub(super) fn news(&mut self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let end = file.metadata()?.len();
        if end >= self.position {
            return self.advance(&mut file, end);
        }
        let rest = self.rest_of_rotated();
        self.position = 0;
        Ok(rest)
    }

    /// The incomplete last line, for when no more will come.
    pub(super) fn last_words(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }

    // Private

    /// Continues to read, at most up to `end`, and returns the complete lines.
    fn advance(&mut self, file: &mut File, end: u64) -> io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.take(end - self.position).read_to_end(&mut self.partial)?;
        self.position += read as u64;
        Ok(self.whole_lines())
    }

    fn whole_lines(&mut self) -> Vec<u8> {
        let whole = match self.partial.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            None if self.partial.len() > MAX_LINE => self.partial.len(),
            None => 0,
        };
        let rest = self.partial.split_off(whole);
        std::mem::replace(&mut self.partial, rest)
    }

    /// The part of the copy that was not read yet; nothing when it is not the copy of this log.
    fn rest_of_rotated(&mut self) -> Vec<u8> {
        let mut copy = self.path.clone().into_os_string();
        copy.push(".1");
        let read = |log: &mut LogFile| {
            let mut file = File::open(&copy)?;
            let end = file.metadata()?.len();
            if end < log.position {
                Ok(Vec::new())
            } else {
                log.advance(&mut file, end)
            }
        };
        let mut rest = read(self).unwrap_or_else(|_: io::Error| Vec::new());
        rest.append(&mut self.partial);
        rest
    }
}

// Private

/// The offset at which the last `count` lines before `end` begin. Reads backwards, and only as far
/// as necessary.
fn start_of_last(file: &mut File, end: u64, count: usize) -> io::Result<u64> {
    if count == 0 {
        return Ok(end);
    }
    let mut missing = count;
    let mut block_end = end;
    while block_end > 0 {
        let block_start = block_end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(block_start))?;
        let mut block = Vec::new();
        file.take(block_end - block_start).read_to_end(&mut block)?;
        for (offset, byte) in (block_start..block_end).rev().zip(block.iter().rev()) {
            // A line feed in the last byte ends the last line, and does not begin another.
            if *byte == b'\n' && offset + 1 < end {
                missing -= 1;
                if missing == 0 {
                    return Ok(offset + 1);
                }
            }
        }
        block_end = block_start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;
    use proptest::prelude::*;

    fn log(content: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        fs::write(&path, content).unwrap();
        (dir, path)
    }

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_shown_when_it_is_complete() {
        let (_dir, path) = log("one\ntw");
        let (lines, mut log) = LogFile::tail(&path, 20).unwrap();
        assert_eq!(text(lines), "one\n");
        append(&path, "o\nthr");
        assert_eq!(text(log.news().unwrap()), "two\n");
        assert_eq!(text(log.news().unwrap()), "");
        assert_eq!(text(log.last_words()), "thr");
    }

    #[test]
    fn rotation_loses_no_copied_line() {
        let (_dir, path) = log("one\n");
        let (_, mut log) = LogFile::tail(&path, 20).unwrap();
        append(&path, "two\n");
        fs::copy(&path, path.with_extension("log.1")).unwrap();
        fs::write(&path, "3\n").unwrap();
        assert_eq!(text(log.news().unwrap()), "two\n");
        assert_eq!(text(log.news().unwrap()), "3\n");
    }

    #[test]
    fn a_truncated_log_without_copy_starts_again() {
        let (_dir, path) = log("one\ntwo\n");
        let (_, mut log) = LogFile::tail(&path, 20).unwrap();
        fs::write(&path, "new\n").unwrap();
        assert_eq!(text(log.news().unwrap()), "");
        assert_eq!(text(log.news().unwrap()), "new\n");
    }

    proptest! {
        #[test]
        fn the_tail_is_the_last_lines(
            // Some lines are longer than the size of one read.
            lengths in proptest::collection::vec(prop_oneof![0..9usize, Just(70_000)], 0..12),
            count in 0usize..14,
        ) {
            let lines: Vec<String> = lengths.into_iter().map(|length| "x".repeat(length)).collect();
            let whole = |lines: &[String]| lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
            let (_dir, path) = log(&whole(&lines));
            let last = &lines[lines.len().saturating_sub(count)..];
            prop_assert_eq!(text(LogFile::tail(&path, count).unwrap().0), whole(last));
        }
    }
}
