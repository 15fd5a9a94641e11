//! Words and lists as YAML on one line, as hints show them.

use serde_yaml::Value;

/// `words` as a list, with quotes where YAML would read a different value.
pub(super) fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|text| word(text)).collect();
    format!("[{}]", words.join(", "))
}

/// `text` as one word of a list.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+=@%".contains(c);
    let is_itself = || serde_yaml::from_str::<Value>(text).is_ok_and(|read| read.as_str() == Some(text));
    // Other parsers read these as booleans.
    let is_boolean = || {
        matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off"
        )
    };
    if !text.is_empty() && text.chars().all(plain) && is_itself() && !is_boolean() {
        return text.to_owned();
    }
    // JSON is YAML on one line.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_as_itself() {
        let words = [
            "python3",
            "x.py",
            "-m",
            "--port",
            "{tcp_port}",
            "8080",
            "1.10",
            "true",
            "null",
            "~",
            "no",
            "",
            "a b",
            "a,b",
            "a: b",
            "#c",
            "'",
            "\"",
            "\\",
            "*a",
            "&a",
            "!a",
            "[",
            "]",
            "-",
            "--",
            "?",
            "ü",
            "a\nb",
            "=",
            "%a",
            "@a",
            "0x10",
            ".",
            "1e3",
        ]
        .map(str::to_owned);
        let read: Vec<String> = serde_yaml::from_str(&list(&words)).unwrap();
        assert_eq!(read, words);
    }

    #[test]
    fn plain_words_stay_plain() {
        let words = ["python3", "-m", "x.py", "--port", "{tcp_port}"].map(str::to_owned);
        assert_eq!(list(&words), r#"[python3, -m, x.py, --port, "{tcp_port}"]"#);
    }
}
