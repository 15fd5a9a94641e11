//! This program's own executable.

use std::path::{Path, PathBuf};

/// A path that runs this very binary, even if the file on disk has been replaced since.
#[must_use]
pub fn self_exe() -> PathBuf {
    match std::env::current_exe() {
        // The kernel appends ` (deleted)` to the name of a removed file.
        Ok(path) if path.exists() => path,
        _ => Path::new("/proc/self/exe").to_owned(),
    }
}
