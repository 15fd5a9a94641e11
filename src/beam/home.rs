//! The nodes' home, and the cookie by which they know one another.
//!
//! A cookie on a command line could be read by everybody on this host, and so could one in a file of arguments, which
//! becomes a command line. From `$HOME/.erlang.cookie` Erlang takes it where only its owner can read it.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::platform::RunDir;

/// Random bytes of a cookie; it has twice as many characters.
const COOKIE: usize = 32;

/// A home that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Something cannot be written.
    #[error("cannot make `{}`: {source}", .path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel has no random numbers.
    #[error("no random numbers for a cookie: {0}")]
    NotRandom(#[from] getrandom::Error),
}

/// Makes the home, and a cookie in it unless there is one: nodes that a dead supervisor has left keep theirs.
pub(super) fn make(run_dir: &RunDir) -> Result<(), HomeError> {
    let (home, path) = (run_dir.erlang_home(), run_dir.erlang_cookie());
    let outcome = |path: &Path, outcome: io::Result<()>| {
        outcome.map_err(|source| HomeError::Unwritable {
            path: path.to_owned(),
            source,
        })
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&home);
    outcome(&home, made)?;
    if path.exists() {
        return Ok(());
    }
    outcome(&path, write(&path, &random()?))
}

// Private

fn random() -> Result<String, getrandom::Error> {
    let mut halves = [[0; COOKIE / 2]; 2];
    for half in &mut halves {
        getrandom::fill(half)?;
    }
    let [first, second] = halves.map(u128::from_ne_bytes);
    Ok(format!("{first:032x}{second:032x}"))
}

/// Writes it whole or not at all. Erlang accepts no cookie that others could read.
fn write(path: &Path, cookie: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    // One that was left half-written cannot be opened for writing.
    let _gone_or_not = fs::remove_file(&new);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(&new)?;
    file.write_all(cookie.as_bytes())?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cookie_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        let cookie = || fs::read(run_dir.erlang_cookie()).unwrap();
        make(&run_dir).unwrap();
        let first = cookie();
        assert_eq!(first.len(), 2 * COOKIE);
        make(&run_dir).unwrap();
        assert_eq!(cookie(), first);
        let mode = fs::metadata(run_dir.erlang_cookie())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o400);
        run_dir.clean().unwrap();
        assert!(!run_dir.erlang_home().exists());
    }
}
