//! Where nodes keep what is theirs: a directory of this user's in the run directory.
//!
//! ```text
//!  erlang/home/.erlang.cookie       the cookie, for nobody else to read
//!  erlang/home/erlmcp1.config       what erlmcp1 is told; the cookie is in it, too, and so it goes when the cluster stops
//!  erlang/clusterctl_door.{erl,beam}
//!  erlang/nodes/erlmcp1/            where erlmcp1 runs, and what it writes
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::platform::RunDir;

/// The longest cookie that Erlang takes.
const LONGEST_COOKIE: u64 = 255;

/// The nodes' directory.
#[derive(Clone, Debug)]
pub(super) struct Home(PathBuf);

impl Home {
    /// In the run directory `run_dir`; made when it is not there.
    pub(super) fn in_run_dir(run_dir: &RunDir) -> io::Result<Home> {
        let home = Home(run_dir.path().join("erlang"));
        private_directory(&home.user())?;
        Ok(home)
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What nodes are told is their user's home.
    pub(super) fn user(&self) -> PathBuf {
        self.0.join("home")
    }

    /// The configuration of the node called `name`.
    pub(super) fn config(&self, name: &str) -> PathBuf {
        self.user().join(format!("{name}.config"))
    }

    /// Where the node called `name` runs.
    pub(super) fn of_node(&self, name: &str) -> PathBuf {
        self.0.join("nodes").join(name)
    }

    /// Makes that directory, if it is not there.
    pub(super) fn make_of_node(&self, name: &str) -> io::Result<()> {
        private_directory(&self.of_node(name))
    }

    /// The cookie of this cluster; made once, so that nodes which run already and those that follow know one another.
    pub(super) fn cookie(&self) -> io::Result<String> {
        let path = self.user().join(".erlang.cookie");
        match File::open(&path) {
            Ok(file) => {
                let mut cookie = String::new();
                file.take(LONGEST_COOKIE).read_to_string(&mut cookie)?;
                Ok(cookie.trim().to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let cookie = new_cookie()?;
                let mut options = OpenOptions::new();
                // Erlang refuses one that others can read.
                let mut file = options.write(true).create_new(true).mode(0o400).open(&path)?;
                file.write_all(cookie.as_bytes())?;
                Ok(cookie)
            }
            Err(error) => Err(error),
        }
    }
}

// Private

fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn new_cookie() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_cookie_is_made_once_and_for_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::in_run_dir(&RunDir::at(dir.path())).unwrap();
        let cookie = home.cookie().unwrap();
        assert_eq!(cookie.len(), 32);
        assert_eq!(home.cookie().unwrap(), cookie);
        let mode = std::fs::metadata(home.user().join(".erlang.cookie"))
            .unwrap()
            .mode();
        assert_eq!(mode & 0o777, 0o400);
    }
}
