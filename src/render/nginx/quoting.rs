//! Words of nginx's configuration language.

use std::path::Path;
use std::time::Duration;

use crate::base::units::Period;

/// Parameters of a `map`, which are no values of the mapped variable.
const PARAMETERS: &[&str] = &["default", "hostnames", "include", "volatile"];

/// A path as one word.
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

/// A time that is told in whole seconds, rounded up.
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
    fn names_of_parameters_are_told_from_them() {
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
    fn seconds_are_whole_and_some() {
        let rounded = |millis| seconds(Duration::from_millis(millis)).to_string();
        assert_eq!(
            (rounded(1), rounded(6_000), rounded(6_001)),
            ("1s".into(), "6s".into(), "7s".into())
        );
    }
}
