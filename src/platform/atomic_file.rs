//! Files that are replaced whole: neither a reader nor a crash ever leaves half of one visible.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode of a file that only its owner can read.
pub const PRIVATE: u32 = 0o600;
/// The mode of a file that every user can read.
pub const READABLE: u32 = 0o644;

/// Replaces the file at `path`, and gives it this mode. When this returns, the new file survives a
/// crash of the host.
///
/// # Errors
/// When it cannot be written; the old file stays in place then.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let new = unfinished(path);
    let replaced = write(&new, content, mode).and_then(|()| fs::rename(&new, path));
    if replaced.is_err() {
        // Half a file, on a full disk, is useless.
        let _gone_or_not = fs::remove_file(&new);
    }
    replaced?;
    sync_directory(path);
    Ok(())
}

/// The path at which the replacement of the file at `path` is written first.
#[must_use]
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

// Private

/// Writes the entry of the file at `path` in its directory to the disk. The file is in place already:
/// a file system that cannot do this is not a reason to report a failure.
fn sync_directory(path: &Path) {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let _unsupported = File::open(directory).and_then(|directory| directory.sync_all());
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // An unfinished file of before may have a mode that cannot be opened for writing.
    let _gone_or_not = fs::remove_file(path);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    // The umask may have cleared some bits.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn replacing_a_file_leaves_only_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        replace(&path, b"old", READABLE).unwrap();
        assert_eq!(mode(&path), READABLE);
        fs::write(unfinished(&path), "of a process that was killed").unwrap();
        replace(&path, b"new", PRIVATE).unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), mode(&path)),
            (b"new".to_vec(), PRIVATE)
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"new", PRIVATE).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
