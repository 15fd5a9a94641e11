//! Reads results that were saved in a file.

use serde::Deserialize;

use super::results::{Results, VERSION};

/// The text does not hold results that this program can read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON, or the JSON of something else.
    #[error("these are not results of `load-test --json`: {0}")]
    Other(serde_json::Error),
    /// It has another version of the format.
    #[error("these results are of version {0}, and this program reads version {VERSION}")]
    Version(u64),
}

/// The fields that every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Results {
    /// Parses results: the JSON of `load-test --json`.
    ///
    /// # Errors
    /// If it is something else, or has another [`VERSION`].
    pub fn read(text: &str) -> Result<Results, ReadError> {
        // The version first: the rest of another version may not parse.
        let Versioned { version } = serde_json::from_str(text).map_err(ReadError::Other)?;
        if version != u64::from(VERSION) {
            return Err(ReadError::Version(version));
        }
        serde_json::from_str(text).map_err(ReadError::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::sample;
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let results = sample();
        let text = serde_json::to_string(&results).unwrap();
        assert!(Results::read(&text).unwrap() == results);
    }

    #[test]
    fn another_version_and_something_else_are_refused() {
        let refused = |text| Results::read(text).unwrap_err().to_string();
        assert_eq!(
            refused(r#"{"version": 2, "all": "new"}"#),
            "these results are of version 2, and this program reads version 1"
        );
        for text in [
            "",
            "{}",
            "[]",
            "<html>",
            r#"{"version": "1"}"#,
            r#"{"version": 1}"#,
        ] {
            let output = refused(text);
            assert!(
                output.starts_with("these are not results of `load-test --json`: "),
                "{output}"
            );
        }
    }
}
