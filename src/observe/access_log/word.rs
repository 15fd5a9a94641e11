//! One value of a log line: text or a number, as nginx is configured to write.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value as text; empty for a value that is neither text nor a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word(String);

impl Word {
    /// The text; empty for `-`, which nginx writes for a missing value.
    pub(super) fn text(&self) -> &str {
        match self.0.trim() {
            "-" => "",
            text => text,
        }
    }

    /// The value as a count; 0 for anything else.
    pub(super) fn count(&self) -> u64 {
        self.text().parse().unwrap_or(0)
    }

    /// The value as a time in seconds, if it is a valid one.
    pub(super) fn seconds(&self) -> Option<f64> {
        seconds(self.text())
    }

    /// The parts of a list. nginx puts commas between the servers of one upstream, and colons
    /// between the upstreams that it reaches by an internal redirect; a colon within an address has
    /// no spaces around it.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0
            .split(',')
            .flat_map(|part| part.split(" : "))
            .map(str::trim)
    }
}

/// `text` as a time in seconds, neither negative nor beyond `LATEST`.
pub(super) fn seconds(text: &str) -> Option<f64> {
    /// In the year 5138.
    const LATEST: f64 = 1e11;
    let seconds = text.parse().ok();
    seconds.filter(|seconds| (0.0..LATEST).contains(seconds))
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

// Private

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Word, E> {
        Ok(Word(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Word, E> {
        Ok(Word(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Word, E> {
        Ok(Word(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Word, E> {
        Ok(Word(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Word, E> {
        Ok(Word(number.to_string()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Word, E> {
        Ok(Word::default())
    }

    fn visit_unit<E>(self) -> Result<Word, E> {
        Ok(Word::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Word, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Word::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Word, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Word::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(json: &str) -> Word {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn quoted_and_bare_numbers_are_equal() {
        for json in ["7", "\"7\"", "\" 7 \""] {
            assert_eq!(word(json).count(), 7, "{json}");
        }
        assert_eq!(word("1700000000.125").seconds(), Some(1_700_000_000.125));
        assert_eq!(word("\"0.012\"").seconds(), Some(0.012));
    }

    #[test]
    fn an_empty_value_is_empty_in_every_form() {
        for json in ["\"\"", "\"-\"", "null", "true", "[1, [2]]", "{\"a\": {}}"] {
            let word = word(json);
            assert_eq!(
                (word.text(), word.count(), word.seconds()),
                ("", 0, None),
                "{json}"
            );
        }
        for json in ["\"-0.5\"", "\"NaN\"", "\"inf\"", "1e300"] {
            assert_eq!(word(json).seconds(), None, "{json}");
        }
    }

    #[test]
    fn lists_have_commas_and_colons() {
        let upstreams = word("\"127.0.0.1:9001, [::1]:9002 : 127.0.0.1:9003\"");
        let parts: Vec<&str> = upstreams.parts().collect();
        assert_eq!(parts, ["127.0.0.1:9001", "[::1]:9002", "127.0.0.1:9003"]);
    }
}
