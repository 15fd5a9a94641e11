//! The id that connects a response to its request.

use serde::Serialize;
use serde_json::value::RawValue;

/// A request's id: a string, a number or null. It is kept as it was written, so that it is returned
/// unchanged, even `1.0` or a number that no machine type can hold.
#[derive(Clone, Debug, Serialize)]
pub struct Id(Box<RawValue>);

impl Id {
    /// The id of a response to a message whose id is unknown.
    #[must_use]
    pub fn null() -> Id {
        Id(RawValue::NULL.to_owned())
    }

    /// The id that is written as `raw`; `None` when that is not an id.
    pub(super) fn read(raw: &RawValue) -> Option<Id> {
        let is_id = matches!(raw.get().as_bytes(), [b'"' | b'-' | b'0'..=b'9', ..] | b"null");
        is_id.then(|| Id(raw.to_owned()))
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.as_json() == "null"
    }

    /// The id as JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Id) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Id {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_numbers_and_null_are_ids() {
        for json in [
            "1",
            "-7",
            "1.0",
            "123456789012345678901234567890",
            r#""a\u0041""#,
            "null",
        ] {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(Id::read(raw).unwrap().as_json(), json);
        }
        for json in ["true", "false", "[1]", "{}"] {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(Id::read(raw), None, "{json}");
        }
    }
}
