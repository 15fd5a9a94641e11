//! Quoting in nginx's configuration language.

use std::path::Path;
use std::time::Duration;

use crate::base::units::Period;

/// Parameters of a `map`; as keys they have to be escaped.
const PARAMETERS: &[&str] = &["default", "hostnames", "include", "volatile"];

/// A path as a single word.
pub(super) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value as the key of a `map`.
pub(super) fn key(value: &str) -> String {
    if PARAMETERS.contains(&value) {
        format!("\\{value}")
    } else {
        value.to_owned()
    }
}

/// A regular expression that matches `text` only.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::new();
    for c in text.chars() {
        if !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')) {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}

/// A duration in whole seconds, rounded up.
pub(super) fn seconds(duration: Duration) -> Period {
    let seconds = duration.as_millis().div_ceil(1000).max(1);
    Period::from(Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_one_word() {
        assert_eq!(
            quoted(Path::new(r#"/my "run"\dir; #1"#)),
            r#""/my \"run\"\\dir; #1""#
        );
    }

    #[test]
    fn values_that_equal_parameters_are_escaped() {
        assert_eq!(
            (key("default").as_str(), key("erlmcp1").as_str()),
            ("\\default", "erlmcp1")
        );
    }

    #[test]
    fn patterns_match_themselves() {
        assert_eq!(literal("127.0.0.1:9001"), r"127\.0\.0\.1:9001");
        assert_eq!(literal("[::1]:9001"), r"\[::1\]:9001");
    }

    #[test]
    fn seconds_are_whole_and_at_least_one() {
        let rounded = |millis| seconds(Duration::from_millis(millis)).to_string();
        assert_eq!(
            (rounded(1), rounded(6_000), rounded(6_001)),
            ("1s".into(), "6s".into(), "7s".into())
        );
    }
}
