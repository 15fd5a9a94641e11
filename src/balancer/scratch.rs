//! A private directory that is removed when the value is dropped.

use std::fs::{DirBuilder, remove_dir_all};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory for this user only.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A directory under the system's temporary one, or under `other` where nothing can be written
    /// there, as in a service with `ProtectSystem=strict` and in a read-only container.
    pub(super) fn new(other: &Path) -> io::Result<Scratch> {
        Scratch::below(&std::env::temp_dir())
            .or_else(|error| Scratch::below(other).map_err(|_not_there_either| error))
    }

    fn below(parent: &Path) -> io::Result<Scratch> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let pid = std::process::id();
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("clusterctl-check-{pid}-{number}"));
            // Never an existing directory: another user could have made it.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Scratch(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // An error here cannot be reported.
        let _ = remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_removed_with_its_content() {
        let scratch = Scratch::new(Path::new("/nonexistent")).unwrap();
        let path = scratch.path().to_owned();
        std::fs::write(path.join("file"), "").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn the_parent_must_exist() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::below(parent.path()).unwrap();
        assert_eq!(scratch.path().parent(), Some(parent.path()));
        Scratch::below(Path::new("/nonexistent")).unwrap_err();
    }
}
