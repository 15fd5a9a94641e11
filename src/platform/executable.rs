//! Where programs are.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where administrators' programs are, which an ordinary user's PATH leaves out.
const ELSEWHERE: &[&str] = &["/usr/sbin", "/usr/local/sbin"];

/// A program that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Nothing has its name.
    #[error("cannot find `{0}`: neither in PATH nor in /usr/sbin or /usr/local/sbin")]
    NotFound(&'static str),
    /// The profile names a file that is not there.
    #[error("cannot find `{}`, which the profile names as `binaries.{name}`", .path.display())]
    NotThere {
        /// The program.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
}

impl Missing {
    /// What to do about it, where the program comes in a Debian `package`.
    #[must_use]
    pub fn hint(&self, package: &str) -> String {
        let install = format!("`apt-get install -y {package}`");
        match self {
            Missing::NotFound(name) => format!("{install}, or name it with `--set binaries.{name}=PATH`"),
            Missing::NotThere { name, .. } => {
                format!("correct `binaries.{name}`, or leave it out and {install}")
            }
        }
    }
}

/// The program called `name`: the one that the profile has `named`, a bare name or a path, else the first in PATH, `/usr/sbin` or
/// `/usr/local/sbin`. Absolute, because daemons change their directory.
///
/// # Errors
/// When it is not there.
pub fn locate(name: &'static str, named: Option<&Path>) -> Result<PathBuf, Missing> {
    let path = match named {
        Some(named) => at(named).ok_or_else(|| Missing::NotThere {
            name,
            path: named.to_owned(),
        })?,
        None => search(name).ok_or(Missing::NotFound(name))?,
    };
    Ok(std::path::absolute(&path).unwrap_or(path))
}

// Private

/// Where a program that somebody has `named` is: a bare name is searched for, a path is what it is.
fn at(named: &Path) -> Option<PathBuf> {
    match named.to_str() {
        Some(name) if !name.contains('/') => search(name),
        _ => named.exists().then(|| named.to_owned()),
    }
}

fn search(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(ELSEWHERE.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_searched_for() {
        assert!(at(Path::new("sh")).is_some_and(|path| path.is_absolute()));
        assert_eq!(at(Path::new("Cargo.toml")), None);
        assert_eq!(at(Path::new("./Cargo.toml")), Some(PathBuf::from("./Cargo.toml")));
    }
}
