//! The file that a process runs, also after it was replaced or removed on disk.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// How much of a file is compared at a time.
const CHUNK_BYTES: usize = 256 * 1_024;

/// The executable of a process.
#[derive(Debug)]
pub struct ProgramFile {
    file: File,
    metadata: Metadata,
}

impl ProgramFile {
    /// The file that the process with this pid runs.
    ///
    /// # Errors
    /// When the process has ended, or belongs to another user.
    pub fn of(pid: u32) -> io::Result<ProgramFile> {
        ProgramFile::open(&format!("/proc/{pid}/exe"))
    }

    /// The file that this process runs.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn own() -> io::Result<ProgramFile> {
        ProgramFile::open("/proc/self/exe")
    }

    /// Whether both are the same file: the same inode of the same file system.
    #[must_use]
    pub fn is_same_file_as(&self, other: &ProgramFile) -> bool {
        let inode = |it: &ProgramFile| (it.metadata.dev(), it.metadata.ino());
        inode(self) == inode(other)
    }

    /// Whether both have the same content. Only files of the same length are read.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn has_same_content_as(&self, other: &ProgramFile) -> io::Result<bool> {
        if self.is_same_file_as(other) {
            return Ok(true);
        }
        let length = self.metadata.len();
        if length != other.metadata.len() {
            return Ok(false);
        }
        let (mut one, mut two) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
        let mut offset = 0;
        while offset < length {
            let rest = usize::try_from(length - offset).unwrap_or(CHUNK_BYTES);
            let size = rest.min(CHUNK_BYTES);
            self.file.read_exact_at(&mut one[..size], offset)?;
            other.file.read_exact_at(&mut two[..size], offset)?;
            if one[..size] != two[..size] {
                return Ok(false);
            }
            offset += size as u64;
        }
        Ok(true)
    }

    // Private

    fn open(path: &str) -> io::Result<ProgramFile> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(ProgramFile { file, metadata })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn written(path: &Path, content: &[u8]) -> ProgramFile {
        fs::write(path, content).unwrap();
        ProgramFile::open(path.to_str().unwrap()).unwrap()
    }

    #[test]
    fn a_process_runs_the_same_file_by_pid_and_by_itself() {
        let (own, by_pid) = (
            ProgramFile::own().unwrap(),
            ProgramFile::of(std::process::id()).unwrap(),
        );
        assert!(own.is_same_file_as(&by_pid) && own.has_same_content_as(&by_pid).unwrap());
    }

    #[test]
    fn copies_have_the_same_content_and_changed_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut content = vec![7; CHUNK_BYTES + 3];
        let original = written(&dir.path().join("original"), &content);
        let copy = written(&dir.path().join("copy"), &content);
        assert!(!original.is_same_file_as(&copy) && original.has_same_content_as(&copy).unwrap());
        content[CHUNK_BYTES + 2] = 8;
        let changed = written(&dir.path().join("changed"), &content);
        assert!(!original.has_same_content_as(&changed).unwrap());
        content.push(9);
        let longer = written(&dir.path().join("longer"), &content);
        assert!(!original.has_same_content_as(&longer).unwrap());
    }

    #[tokio::test]
    async fn a_removed_file_of_a_running_process_is_compared() {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("sleep");
        // By another process: a program that another test's child has open for writing cannot be run.
        let mut copying = crate::platform::Program::new("cp")
            .args(["/bin/sleep", copy.to_str().unwrap()])
            .spawn(&dir.path().join("log"))
            .unwrap();
        copying.ended().await.unwrap();
        let mut process = crate::platform::Program::new(&copy)
            .arg("60")
            .spawn(&dir.path().join("log"))
            .unwrap();
        fs::remove_file(&copy).unwrap();
        let running = ProgramFile::of(process.identity().pid).unwrap();
        let on_disk = ProgramFile::open("/bin/sleep").unwrap();
        assert!(running.has_same_content_as(&on_disk).unwrap());
        assert!(!running.has_same_content_as(&ProgramFile::own().unwrap()).unwrap());
        process
            .identity()
            .signal_group(nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        process.ended().await.unwrap();
    }
}
