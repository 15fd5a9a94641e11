//! Results that were kept in a file, read again.

use serde::Deserialize;

use super::results::{Results, VERSION};

/// A text that is no results that this program can read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON, or the JSON of something else.
    #[error("these are no results of `load-test --json`: {0}")]
    Other(serde_json::Error),
    /// They are of another version of the format.
    #[error("these results are of version {0}, and this program reads version {VERSION}")]
    Version(u64),
}

/// All that can be asked of any version.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Results {
    /// The results that `text` holds: the JSON of `load-test --json`.
    ///
    /// # Errors
    /// When it is something else, or of another [`VERSION`].
    pub fn read(text: &str) -> Result<Results, ReadError> {
        // First: what else another version says need not make sense to this one.
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
            let said = refused(text);
            assert!(
                said.starts_with("these are no results of `load-test --json`: "),
                "{said}"
            );
        }
    }
}
