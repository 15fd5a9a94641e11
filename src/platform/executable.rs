//! Where programs are.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where administrators' programs are, which an ordinary user's PATH leaves out.
const ELSEWHERE: &[&str] = &["/usr/sbin", "/usr/local/sbin"];

/// Where a program that somebody has `named` is: a bare name is searched for, a path is what it is.
#[must_use]
pub fn at(named: &Path) -> Option<PathBuf> {
    match named.to_str() {
        Some(name) if !name.contains('/') => search(name),
        _ => named.exists().then(|| named.to_owned()),
    }
}

/// The first program called `name` in PATH, `/usr/sbin` or `/usr/local/sbin`.
#[must_use]
pub fn search(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(ELSEWHERE.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| is_executable(file))
}

// Private

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
