//! A file that one process at a time holds locked; the kernel releases the lock when the holder
//! dies.
//!
//! The lock belongs to the open file (`F_OFD_SETLK`). A process that only checks whether the lock
//! is held does not take it: with `flock`, the check itself could make another process fail to take
//! it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// The lock, held until this value is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path`; `None` when another process holds it.
    pub fn take(path: &Path) -> io::Result<Option<Lock>> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)?;
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole())) {
                Ok(_) => {}
                Err(Errno::EAGAIN | Errno::EACCES) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            let lock = Lock {
                file,
                path: path.to_owned(),
            };
            // The last holder may have removed the file between our opening and our locking it.
            if lock.is_at_its_path() {
                return Ok(Some(lock));
            }
        }
    }

    /// Whether a process holds the lock at `path`. A missing file is not locked.
    pub fn is_held(path: &Path) -> io::Result<bool> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        let mut lock = whole();
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(i32::from(lock.l_type) != libc::F_UNLCK)
    }

    /// Releases the lock and removes its file.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    fn is_at_its_path(&self) -> bool {
        let inode = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(held), Ok(found)) => inode(held) == inode(found),
            _ => false,
        }
    }
}

// Private

/// A lock on the whole file that excludes every other process.
#[expect(
    clippy::cast_possible_truncation,
    reason = "libc defines these constants wider than the fields they are for"
)]
const fn whole() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_no_file_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(!Lock::is_held(&path).unwrap());
        let lock = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        assert!(Lock::is_held(&path).unwrap());
        lock.remove().unwrap();
        assert!(!path.exists());
        drop(Lock::take(&path).unwrap().unwrap());
        assert!(!Lock::is_held(&path).unwrap());
        assert!(Lock::take(&path).unwrap().is_some());
    }
}
