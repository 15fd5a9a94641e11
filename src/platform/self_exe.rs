//! This program's own executable.

use std::path::{Path, PathBuf};

/// A path that runs this very binary, also when it has been replaced on disk since.
#[must_use]
pub fn self_exe() -> PathBuf {
    match std::env::current_exe() {
        // The kernel appends ` (deleted)` to the name of a file that is gone.
        Ok(path) if path.exists() => path,
        _ => Path::new("/proc/self/exe").to_owned(),
    }
}
