//! Where a profile comes from: a name or a file, `--set` overrides, a port offset.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::closest::closest;
use super::layer::MAX_BYTES;

/// The embedded profiles: name, text.
pub const EMBEDDED: &[(&str, &str)] = &[
    (DEFAULT, include_str!("../../profiles/default.yaml")),
    ("beam", include_str!("../../profiles/beam.yaml")),
    ("erlmcp", include_str!("../../profiles/erlmcp.yaml")),
    ("nginx-classic", include_str!("../../profiles/nginx-classic.yaml")),
];

/// The profile that every other one is laid over.
pub const DEFAULT: &str = "default";

/// Everything that a profile is made from; recorded by `start`, so that later commands need only the run directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The embedded profile's name, or the file's path.
    pub name: String,
    /// The YAML.
    pub text: String,
    /// `key.path=value`, the last one wins.
    pub sets: Vec<String>,
    /// Added to every port.
    pub port_offset: u16,
    /// The directory in which `name` and the paths in `sets` begin: the working directory when they were given.
    #[serde(default)]
    pub directory: PathBuf,
}

/// A profile that cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Neither an embedded profile nor a file.
    #[error("no profile `{name}`: neither an embedded profile nor a file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The embedded profile that was probably meant.
        near: Option<&'static str>,
    },
    /// The file cannot be read.
    #[error("cannot read profile `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is no text.
    #[error("{path}:{line}:{column}: not UTF-8")]
    NotUtf8 {
        /// The file.
        path: String,
        /// The line of the first wrong byte, from 1.
        line: usize,
        /// How many characters of that line come before it, plus 1.
        column: usize,
    },
}

impl Source {
    /// Whether `other` describes the same cluster, wherever it was read.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Source) -> bool {
        (&self.text, &self.sets, self.port_offset) == (&other.text, &other.sets, other.port_offset)
    }

    /// Reads the same profile anew, from where it came, with the same overrides.
    ///
    /// # Errors
    /// When it is not there any more, or unreadable or no UTF-8.
    pub fn read_again(&self) -> Result<Source, SourceError> {
        let name = match embedded(&self.name) {
            Some(_) => self.name.clone(),
            None => self.directory.join(&self.name).to_string_lossy().into_owned(),
        };
        Ok(Source {
            text: Source::read(&name)?.text,
            ..self.clone()
        })
    }

    /// Reads the embedded profile or the file called `name`, without overrides.
    ///
    /// Of an enormous file it reads no more than [`load`](super::load) needs to refuse it.
    ///
    /// # Errors
    /// When there is no such profile, or the file is unreadable or no UTF-8.
    pub fn read(name: &str) -> Result<Source, SourceError> {
        let text = match embedded(name) {
            Some(text) => text.to_owned(),
            None if Path::new(name).exists() || name.contains(['/', '.']) => file(name)?,
            None => {
                return Err(SourceError::Unknown {
                    name: name.to_owned(),
                    near: closest(name, EMBEDDED.iter().map(|(near, _)| *near)),
                });
            }
        };
        Ok(Source {
            name: name.to_owned(),
            text,
            sets: Vec::new(),
            port_offset: 0,
            directory: std::env::current_dir().unwrap_or_default(),
        })
    }

    /// The directory in which relative paths of the profile, or of the command line, begin.
    pub(super) fn directory_of(&self, command_line: bool) -> PathBuf {
        let file = Path::new(&self.name).parent();
        match file.filter(|_| !command_line && embedded(&self.name).is_none()) {
            Some(above) => self.directory.join(above),
            None => self.directory.clone(),
        }
    }
}

/// The text of an embedded profile.
#[must_use]
pub fn embedded(name: &str) -> Option<&'static str> {
    EMBEDDED
        .iter()
        .find(|(embedded, _)| *embedded == name)
        .map(|(_, text)| *text)
}

/// What a profile is for: the comment in its first line.
#[must_use]
pub fn summary(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix('#').map_or("", str::trim)
}

// Private

fn file(path: &str) -> Result<String, SourceError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|source| SourceError::Read {
            path: path.to_owned(),
            source,
        })?;
    let cut = bytes.len() > MAX_BYTES;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // The cut may have hit a character; what is too large is refused as that.
        Err(error) if cut && error.utf8_error().error_len().is_none() => {
            let mut text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            text.push('\n');
            Ok(text)
        }
        Err(error) => {
            let (good, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
            let good = String::from_utf8_lossy(good);
            let line = good.rsplit('\n').next().unwrap_or_default();
            Err(SourceError::NotUtf8 {
                path: path.to_owned(),
                line: good.matches('\n').count() + 1,
                column: line.chars().count() + 1,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_suggested() {
        assert!(matches!(
            Source::read("defualt"),
            Err(SourceError::Unknown {
                near: Some("default"),
                ..
            })
        ));
        assert!(matches!(
            Source::read("other"),
            Err(SourceError::Unknown { near: None, .. })
        ));
        assert!(matches!(
            Source::read("missing.yaml"),
            Err(SourceError::Read { .. })
        ));
    }

    #[test]
    fn broken_utf8_has_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.yaml");
        std::fs::write(&path, b"a: 1\nb\xc3\xa4: \xff\n").unwrap();
        let path = path.display().to_string();
        let error = Source::read(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{path}:2:5: not UTF-8"));
    }

    #[test]
    fn relative_paths_begin_at_the_file_or_at_the_command_line() {
        let source = Source {
            name: "conf/p.yaml".to_owned(),
            text: String::new(),
            sets: Vec::new(),
            port_offset: 0,
            directory: "/srv".into(),
        };
        assert_eq!(source.directory_of(false), Path::new("/srv/conf"));
        assert_eq!(source.directory_of(true), Path::new("/srv"));
    }

    #[test]
    fn every_embedded_profile_says_what_it_is_for() {
        for (name, text) in EMBEDDED {
            assert!(!summary(text).is_empty(), "{name}");
        }
    }
}
