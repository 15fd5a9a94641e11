//! Versions of this program, and their order.

use std::cmp::Ordering;
use std::str::FromStr;

/// The version of this program.
pub const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A version such as `0.2.0` or `0.2.0-rc.1`, ordered as in Semantic Versioning 2.0.0, section 11.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    /// The parts of `-rc.1`; empty for a release, which is newer than all of its pre-releases.
    pre_release: Vec<Identifier>,
}

/// A part of a pre-release. Numbers are older than words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

/// A text that is not a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version such as 0.2.0")]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Version, NotAVersion> {
        let without_build = text.split('+').next().unwrap_or(text);
        let (numbers, pre_release) = match without_build.split_once('-') {
            Some((numbers, pre_release)) => (numbers, pre_release.split('.').map(identifier).collect()),
            None => (without_build, Vec::new()),
        };
        let numbers: Vec<u64> = numbers
            .split('.')
            .map(|number| number.parse().map_err(|_| NotAVersion))
            .collect::<Result<_, _>>()?;
        Ok(Version {
            numbers: numbers.try_into().map_err(|_| NotAVersion)?,
            pre_release,
        })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let key = |version: &Version| (version.numbers, version.pre_release.is_empty());
        key(self)
            .cmp(&key(other))
            .then_with(|| self.pre_release.cmp(&other.pre_release))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

// Private

fn identifier(text: &str) -> Identifier {
    text.parse()
        .map_or_else(|_| Identifier::Word(text.to_owned()), Identifier::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_precedence() {
        let ascending = [
            "0.1.0",
            "0.2.0-alpha",
            "0.2.0-alpha.1",
            "0.2.0-rc.2",
            "0.2.0-rc.11",
            "0.2.0",
            "0.10.0",
            "1.0.0",
        ];
        let versions: Vec<Version> = ascending.iter().map(|text| text.parse().unwrap()).collect();
        assert!(versions.is_sorted_by(|one, next| one < next));
        assert_eq!("0.2.0+abc".parse(), "0.2.0".parse::<Version>());
        assert!(OWN_VERSION.parse::<Version>().is_ok());
    }

    #[test]
    fn other_texts_are_not_versions() {
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "a.b.c",
            "1.2.x",
            "-1.2.3",
            "99999999999999999999.0.0",
        ] {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion), "{text}");
        }
    }
}
