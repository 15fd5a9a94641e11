//! Files that hold secrets: they are read only if no other user can read them.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Larger files are refused.
pub const MAX_BYTES: u64 = 1 << 20;

/// The permissions of users other than the owner.
const OTHERS: u32 = 0o077;

/// Why such a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    /// It cannot be opened or read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is a directory, a device or the like.
    #[error("is not a file")]
    NotAFile,
    /// Other users may read or write it.
    #[error("can be read or written by other users: its mode is {0:04o}")]
    Open(u32),
    /// It is larger than [`MAX_BYTES`].
    #[error("is larger than 1 MiB")]
    TooLarge,
    /// It is not UTF-8.
    #[error("is not UTF-8 in line {0}")]
    NotUtf8(usize),
}

/// The text of the file at `path`, which only its owner and root can read and write.
///
/// # Errors
/// When other users have any permission for it, and when it is not a text.
pub fn read(path: &Path) -> Result<String, NotPrivate> {
    // Opening a FIFO would wait for a writer otherwise.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(NotPrivate::Unreadable)?;
    let metadata = file.metadata().map_err(NotPrivate::Unreadable)?;
    if !metadata.is_file() {
        return Err(NotPrivate::NotAFile);
    }
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(NotPrivate::Open(mode));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(NotPrivate::Unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(NotPrivate::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let (good, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        NotPrivate::NotUtf8(good.split(|byte| *byte == b'\n').count())
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_private_text_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        let read = |content: &[u8], mode: u32| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let text = super::read(&path).map_err(|error| error.to_string());
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            text
        };
        assert_eq!(read(b"A=1\n", 0o600).as_deref(), Ok("A=1\n"));
        assert_eq!(read(b"A=1\n", 0o400).as_deref(), Ok("A=1\n"));
        for mode in [0o644, 0o640, 0o620, 0o601] {
            let error = read(b"A=1\n", mode).unwrap_err();
            assert!(error.ends_with(&format!("its mode is 0{mode:o}")), "{error}");
        }
        assert_eq!(
            read(b"A=1\nB=\xff\n", 0o600).unwrap_err(),
            "is not UTF-8 in line 2"
        );
        assert_eq!(
            read(&vec![b'a'; (1 << 20) + 1], 0o600).unwrap_err(),
            "is larger than 1 MiB"
        );
        assert!(matches!(super::read(dir.path()), Err(NotPrivate::NotAFile)));
        let missing = super::read(&dir.path().join("missing")).unwrap_err();
        assert!(
            missing.to_string().starts_with("cannot be read: No such file"),
            "{missing}"
        );
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(matches!(super::read(&path), Err(NotPrivate::NotAFile)));
    }
}
