//! The source of a profile: a name or a file, `--set` overrides, a port offset.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::closest::closest;
use super::layer::MAX_BYTES;
use crate::base::units::excerpt;

/// The embedded profiles: name, text.
pub const EMBEDDED: &[(&str, &str)] = &[
    (DEFAULT, include_str!("../../profiles/default.yaml")),
    ("beam", include_str!("../../profiles/beam.yaml")),
    ("http", include_str!("../../profiles/http.yaml")),
    ("erlmcp", include_str!("../../profiles/erlmcp.yaml")),
    ("nginx-classic", include_str!("../../profiles/nginx-classic.yaml")),
];

/// The profile that every other one is laid over.
pub const DEFAULT: &str = "default";

/// Everything that a profile is made from. `start` records it, so that later commands need only the
/// run directory.
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
    /// The directory of `name` and of the relative paths in `sets`: the working directory when they
    /// were given.
    #[serde(default)]
    pub directory: PathBuf,
}

/// A profile that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Neither an embedded profile nor a file.
    #[error("no profile `{}`: neither an embedded profile nor a file", excerpt(.name))]
    Unknown {
        /// The name that was given.
        name: String,
        /// The embedded profile that was probably meant.
        near: Option<&'static str>,
    },
    /// The file cannot be read.
    #[error("cannot read profile `{}`", excerpt(.path))]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is text in another encoding.
    #[error("profile `{}` is {encoding}, not UTF-8", excerpt(.path))]
    Encoded {
        /// The file.
        path: String,
        /// The other encoding.
        encoding: &'static str,
    },
    /// The path is not a regular file.
    #[error("profile `{}` is {what}, not a file", excerpt(.path))]
    NotAFile {
        /// The path.
        path: String,
        /// The kind of file.
        what: &'static str,
    },
    /// The file is not valid UTF-8.
    #[error("{}:{line}:{column}: not UTF-8", excerpt(.path))]
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
    pub fn has_same_content_as(&self, other: &Source) -> bool {
        (&self.text, &self.sets, self.port_offset) == (&other.text, &other.sets, other.port_offset)
    }

    /// Reads the same profile again from its source, with the same overrides.
    ///
    /// # Errors
    /// When it no longer exists, cannot be read or is not UTF-8.
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

    /// Reads the embedded profile or the file `name`, without overrides.
    ///
    /// Of a very large file it reads no more than [`load`](super::load) needs to refuse it.
    ///
    /// # Errors
    /// When the profile does not exist, cannot be read or is not UTF-8.
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

    /// The base directory for relative paths of the profile, or of the command line.
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

/// The purpose of a profile: the comment in its first line.
#[must_use]
pub fn summary(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix('#').map_or("", str::trim)
}

// Private

fn file(path: &str) -> Result<String, SourceError> {
    let unreadable = |source| SourceError::Read {
        path: path.to_owned(),
        source,
    };
    // Opening a FIFO would wait for a writer.
    let kind = fs::metadata(path).map_err(unreadable)?.file_type();
    let what = if kind.is_dir() {
        "a directory"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_block_device() {
        "a block device"
    } else {
        ""
    };
    if !what.is_empty() {
        return Err(SourceError::NotAFile {
            path: path.to_owned(),
            what,
        });
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if let Some(encoding) = other_encoding(&bytes) {
        return Err(SourceError::Encoded {
            path: path.to_owned(),
            encoding,
        });
    }
    let cut = bytes.len() > MAX_BYTES;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        // The cut may be in the middle of a character; a text that is too large is refused as such.
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
                column: line.trim_start_matches('\u{feff}').chars().count() + 1,
            })
        }
    }
}

/// The encoding of a text that is not UTF-8, according to its byte order mark, or to the zeros next
/// to its first character.
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [0, 0, 0, first, ..] | [first, 0, 0, 0, ..] if *first != 0 => Some("UTF-32"),
        [0, first, ..] | [first, 0, ..] if *first != 0 => Some("UTF-16"),
        _ => None,
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
    fn other_encodings_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.yaml");
        for (bytes, encoding) in [
            (&b"\xff\xfea\0:\0"[..], "UTF-16"),
            (b"\xfe\xff\0a\0:", "UTF-16"),
            (b"a\0:\0", "UTF-16"),
            (b"\0a\0:", "UTF-16"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
            (b"a\0\0\0:\0\0\0", "UTF-32"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = Source::read(&path.display().to_string()).unwrap_err();
            assert!(
                error.to_string().ends_with(&format!(" is {encoding}, not UTF-8")),
                "{error}"
            );
        }
    }

    #[test]
    fn paths_other_than_files_are_refused_by_kind() {
        let dir = tempfile::tempdir().unwrap();
        let error = Source::read(&dir.path().display().to_string()).unwrap_err();
        assert!(
            error.to_string().ends_with("is a directory, not a file"),
            "{error}"
        );
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
    fn every_embedded_profile_has_a_summary() {
        for (name, text) in EMBEDDED {
            assert!(!summary(text).is_empty(), "{name}");
        }
    }
}
