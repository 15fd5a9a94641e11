//! The nodes' home directory, with the cookie by which they authenticate.
//!
//! A cookie on a command line would be readable for every user of this host, and so would one in a
//! file of arguments, which becomes a command line. Erlang also takes it from
//! `$HOME/.erlang.cookie`, which only the owner can read.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::platform::atomic_file;

/// The name of the file that Erlang reads.
const FILE: &str = ".erlang.cookie";
/// Random bytes of a cookie; it has twice as many characters.
const COOKIE: usize = 32;
/// Erlang accepts no cookie that others could read.
const COOKIE_MODE: u32 = 0o400;

/// The home directory cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A file cannot be written or read.
    #[error("cannot make or read `{}`: {source}", .path.display())]
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

/// Returns the cookie in the nodes' home. Creates home and cookie if they are missing: nodes that
/// run already keep theirs.
pub fn settle(home: &Path) -> Result<String, HomeError> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| HomeError::Unwritable { path, source }
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(home)
        .map_err(unwritable(home))?;
    let path = home.join(FILE);
    match fs::read_to_string(&path) {
        Ok(cookie) => Ok(cookie.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let cookie = random()?;
            atomic_file::replace(&path, cookie.as_bytes(), COOKIE_MODE).map_err(unwritable(&path))?;
            Ok(cookie)
        }
        Err(source) => Err(unwritable(&path)(source)),
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cookie_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("erlang/home");
        let first = settle(&home).unwrap();
        assert_eq!(first.len(), 2 * COOKIE);
        assert_eq!(settle(&home).unwrap(), first);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&home), mode(&home.join(FILE))), (0o700, 0o400));
        assert_eq!(fs::read_dir(home).unwrap().count(), 1);
    }
}
