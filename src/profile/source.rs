//! Where a profile comes from: a name or a file, `--set` overrides, a port offset.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The embedded profiles: name, text.
pub const EMBEDDED: &[(&str, &str)] = &[(DEFAULT, include_str!("../../profiles/default.yaml"))];

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
    #[error("cannot read profile `{path}`: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Source {
    /// Reads the embedded profile or the file called `name`, without overrides.
    ///
    /// # Errors
    /// When there is no such profile, or the file is unreadable or no UTF-8.
    pub fn read(name: &str) -> Result<Source, SourceError> {
        let text = match embedded(name) {
            Some(text) => text.to_owned(),
            None if Path::new(name).exists() || name.contains(['/', '.']) => std::fs::read_to_string(name)
                .map_err(|source| SourceError::Read {
                    path: name.to_owned(),
                    source,
                })?,
            None => {
                let near = EMBEDDED
                    .iter()
                    .map(|(near, _)| *near)
                    .find(|near| strsim::jaro_winkler(near, name) > 0.8);
                return Err(SourceError::Unknown {
                    name: name.to_owned(),
                    near,
                });
            }
        };
        Ok(Source {
            name: name.to_owned(),
            text,
            sets: Vec::new(),
            port_offset: 0,
        })
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
