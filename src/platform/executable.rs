//! Where programs are installed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::base::units::excerpt;

/// Directories of administrators' programs, which an ordinary user's PATH leaves out.
const EXTRA_DIRECTORIES: &[&str] = &["/usr/sbin", "/usr/local/sbin"];

/// Why a file cannot be executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A bare name that is in no directory of PATH.
    #[error("is not in PATH")]
    NotInPath,
    /// The path does not exist.
    #[error("does not exist")]
    NotThere,
    /// The path is a directory.
    #[error("is a directory")]
    Directory,
    /// The permission to execute it is missing.
    #[error("is not executable")]
    NotExecutable,
    /// The interpreter in its first line is missing.
    #[error("is a script for `{0}`, which does not exist")]
    NoInterpreter(String),
}

/// A program that is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No program has this name.
    #[error("cannot find `{0}`: neither in PATH nor in /usr/sbin or /usr/local/sbin")]
    NotFound(&'static str),
    /// The profile names a file that does not exist.
    #[error("cannot find `{}`, which the profile names as `binaries.{name}`", shown(.path))]
    NotThere {
        /// The program.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The profile names a file that cannot be executed.
    #[error("`{}`, which the profile names as `binaries.{name}`, {why}", shown(.path))]
    Unusable {
        /// The program.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it cannot be executed.
        why: Unusable,
    },
}

impl Missing {
    /// How to install it, where the program comes in a Debian `package`.
    #[must_use]
    pub fn hint(&self, package: &str) -> String {
        let install = format!("`apt-get install -y {package}`");
        match self {
            Missing::NotFound(name) => {
                format!("{install}, or set its path with `--set binaries.{name}=PATH`")
            }
            Missing::Unusable {
                path,
                why: Unusable::NotExecutable,
                ..
            } => format!("`chmod +x {}`, if it is the right file", shown(path)),
            Missing::NotThere { name, .. } | Missing::Unusable { name, .. } => {
                format!("correct `binaries.{name}`, or leave it out and {install}")
            }
        }
    }
}

/// The absolute path of the program `name`: the one that the profile has `named` (a bare name or a
/// path), else the first in PATH, `/usr/sbin` or `/usr/local/sbin`. Absolute, because daemons
/// change their directory.
pub fn locate(name: &'static str, named: Option<&Path>) -> Result<PathBuf, Missing> {
    let path = if let Some(named) = named {
        at(named).map_err(|why| {
            let path = named.to_owned();
            match why {
                Unusable::NotInPath | Unusable::NotThere => Missing::NotThere { name, path },
                why => Missing::Unusable { name, path, why },
            }
        })?
    } else {
        let elsewhere = EXTRA_DIRECTORIES.iter().map(PathBuf::from);
        search(name, elsewhere).ok_or(Missing::NotFound(name))?
    };
    Ok(std::path::absolute(&path).unwrap_or(path))
}

/// The file that `exec` runs as `program` in `directory`: a bare name is searched for in
/// `search_path`, or else in our own PATH; a path is used as it is.
///
/// # Errors
/// When the file does not exist or cannot be executed.
pub fn find(
    program: &str,
    search_path: Option<&OsStr>,
    directory: Option<&Path>,
) -> Result<PathBuf, Unusable> {
    let there = |path: PathBuf| directory.map_or(path.clone(), |directory| directory.join(path));
    let path = if program.contains('/') {
        there(PathBuf::from(program))
    } else {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let directories = std::env::split_paths(search_path.unwrap_or(&own)).map(there);
        first_of(program, directories).ok_or(Unusable::NotInPath)?
    };
    runs(&path).map(|()| path)
}

// Private

/// Where a program that the profile has `named` is: a bare name is searched for, a path is used as
/// it is.
fn at(named: &Path) -> Result<PathBuf, Unusable> {
    let path = match named.to_str() {
        Some(name) if !name.contains('/') => {
            search(name, EXTRA_DIRECTORIES.iter().map(PathBuf::from)).ok_or(Unusable::NotInPath)?
        }
        _ => named.to_owned(),
    };
    runs(&path).map(|()| path)
}

fn search(name: &str, elsewhere: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    first_of(name, std::env::split_paths(&path).chain(elsewhere))
}

fn first_of(name: &str, directories: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    directories
        .map(|directory| directory.join(name))
        .find(|file| file.is_file() && may_execute(file))
}

/// Checks that `file` can be executed, without executing it.
fn runs(file: &Path) -> Result<(), Unusable> {
    let Ok(metadata) = file.metadata() else {
        return Err(Unusable::NotThere);
    };
    if metadata.is_dir() {
        return Err(Unusable::Directory);
    }
    if !may_execute(file) {
        return Err(Unusable::NotExecutable);
    }
    interpreter(file).map_or(Ok(()), |interpreter| {
        if Path::new(&interpreter).is_file() {
            Ok(())
        } else {
            Err(Unusable::NoInterpreter(excerpt(&interpreter)))
        }
    })
}

fn may_execute(file: &Path) -> bool {
    nix::unistd::eaccess(file, nix::unistd::AccessFlags::X_OK).is_ok()
}

/// The interpreter of a script, as the kernel reads its first line: a carriage return at the end of
/// the line is part of the name.
fn interpreter(file: &Path) -> Option<String> {
    const MAX_BYTES: u64 = 256;

    let mut start = Vec::new();
    File::open(file)
        .ok()?
        .take(MAX_BYTES)
        .read_to_end(&mut start)
        .ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let interpreter = line.trim_start_matches([' ', '\t']).split([' ', '\t']).next()?;
    (!interpreter.is_empty()).then(|| interpreter.to_owned())
}

fn shown(path: &Path) -> String {
    excerpt(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn a_bare_name_is_searched_for() {
        assert!(at(Path::new("sh")).is_ok_and(|path| path.is_absolute()));
        let find = |program: &str| find(program, None, None);
        assert!(find("sh").is_ok_and(|path| path.is_absolute()));
        assert_eq!(at(Path::new("Cargo.toml")), Err(Unusable::NotInPath));
        assert_eq!(find("Cargo.toml"), Err(Unusable::NotInPath));
    }

    #[test]
    fn a_program_is_searched_for_where_it_will_run() {
        let (directory, path) = written("#!/bin/sh\n", 0o755);
        let (place, name) = (directory.path(), OsStr::new("."));
        assert_eq!(
            find("program", Some(place.as_os_str()), None).as_deref(),
            Ok(path.as_path())
        );
        assert!(find("program", Some(name), Some(place)).is_ok());
        assert!(find("./program", None, Some(place)).is_ok());
        assert_eq!(
            find("sh", Some(place.as_os_str()), None),
            Err(Unusable::NotInPath)
        );
    }

    #[test]
    fn reasons_for_not_running_are_distinguished() {
        let find = |program: &str| find(program, None, None);
        let (directory, path) = written("#!/bin/sh\n", 0o755);
        let program = path.to_str().unwrap();
        assert_eq!(find(program).as_deref(), Ok(path.as_path()));
        assert_eq!(find(directory.path().to_str().unwrap()), Err(Unusable::Directory));
        assert_eq!(find(&format!("{program}.py")), Err(Unusable::NotThere));
        let (_directory, path) = written("no program", 0o644);
        assert_eq!(find(path.to_str().unwrap()), Err(Unusable::NotExecutable));
    }

    #[test]
    fn a_script_needs_its_interpreter() {
        for (line, found) in [
            ("#!/usr/bin/env python3\n", None),
            ("#! /bin/sh -e\n", None),
            ("\x7fELF", None),
            ("#!/nonexistent/python\n", Some("/nonexistent/python")),
            ("#!/bin/sh\r\n", Some("/bin/sh\\r")),
        ] {
            let (_directory, path) = written(line, 0o755);
            let missing = match find(path.to_str().unwrap(), None, None) {
                Ok(_) => None,
                Err(Unusable::NoInterpreter(interpreter)) => Some(interpreter),
                Err(other) => panic!("{line}: {other}"),
            };
            assert_eq!(missing.as_deref(), found, "{line}");
        }
    }
}
