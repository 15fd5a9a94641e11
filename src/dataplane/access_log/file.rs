//! The file of the access log.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::AccessLogError;

/// Readable by the owner and its group: a log says which address asked for what.
const MODE: u32 = 0o640;

/// An open log file. Each write goes to its end, so that it may be truncated at any time.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    /// Device and inode.
    identity: (u64, u64),
}

impl LogFile {
    /// Opens the file at `path`, which is created if it is missing. Never waits: a named pipe
    /// that no process reads is an error.
    ///
    /// # Errors
    /// If it cannot be opened for writing, or is a directory, a socket or a block device.
    pub(crate) fn open(path: &Path) -> Result<LogFile, AccessLogError> {
        let error = |source| AccessLogError {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(MODE)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(|source| error(explained(path, source)))?;
        let metadata = file.metadata().map_err(error)?;
        let kind = metadata.file_type();
        if !(kind.is_file() || kind.is_fifo() || kind.is_char_device()) {
            return Err(error(io::Error::other("it is not a file")));
        }
        Ok(LogFile {
            path: path.to_owned(),
            file,
            identity: identity(&metadata),
        })
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its path does not lead to it any more.
    pub(super) fn was_moved(&self) -> bool {
        match fs::metadata(&self.path) {
            Ok(metadata) => identity(&metadata) != self.identity,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

// Private

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn explained(path: &Path, error: io::Error) -> io::Error {
    let is_pipe = || fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    if error.raw_os_error() == Some(libc::ENXIO) && is_pipe() {
        io::Error::other("it is a named pipe that no process reads")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_missing_file_is_created_for_its_owner_and_group() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.json");
        let file = LogFile::open(&path).unwrap();
        let mode = file.file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !MODE, 0, "{mode:o}");
        assert!(!file.was_moved());
        fs::rename(&path, dir.path().join("access.json.1")).unwrap();
        assert!(file.was_moved());
        fs::write(&path, "").unwrap();
        assert!(file.was_moved());
    }

    #[test]
    fn what_is_not_a_log_file_is_refused_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |name: &str| {
            let path = dir.path().join(name);
            let error = LogFile::open(&path).unwrap_err().to_string();
            let start = format!("cannot open the access log `{}`: ", path.display());
            error
                .strip_prefix(&start)
                .unwrap_or_else(|| panic!("{error}"))
                .to_owned()
        };
        assert_eq!(refused(""), "Is a directory (os error 21)");
        assert_eq!(refused("missing/log"), "No such file or directory (os error 2)");
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(refused("pipe"), "it is a named pipe that no process reads");
        let _reader = File::options().read(true).write(true).open(&pipe).unwrap();
        assert!(LogFile::open(&pipe).is_ok());
    }
}
