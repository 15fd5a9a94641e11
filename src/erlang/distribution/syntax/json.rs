//! Terms as JSON.

use std::collections::HashSet;

use serde::ser::{Error, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::super::term::{Identity, Term};
use super::{flat, print};

/// A term, to be serialized as JSON:
///
/// | Erlang | JSON |
/// | --- | --- |
/// | integer, of any size; float | number |
/// | `true`, `false`, `null` | the same |
/// | any other atom | its text |
/// | binary | its text, if it is UTF-8; else as Erlang writes it, `"<<255,0>>"` |
/// | tuple, list | array |
/// | list of printable characters | string, as the shell shows it: `[65,66]` is `"AB"`; `[]` is an empty array |
/// | map | object; a key that is not text is written as Erlang writes it |
/// | map with keys that would be the same, as `a` and `<<"a">>` | array of pairs |
/// | improper list | array, with the tail as its last element |
/// | pid, port, reference, fun, bit string | string, as Erlang writes it |
#[derive(Clone, Copy, Debug)]
pub struct Json<'a> {
    /// The term.
    pub term: &'a Term,
    /// The node whose pids are written in short form.
    pub home: &'a Identity,
}

impl<'a> Json<'a> {
    fn of(self, term: &'a Term) -> Json<'a> {
        Json { term, ..self }
    }

    /// The text that represents the term where JSON requires a string.
    fn text(self) -> String {
        match self.term {
            Term::Atom(atom) => atom.text().to_owned(),
            Term::Binary(bytes) => match str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => flat(self.term, self.home),
            },
            Term::List(items) => print::readable(items).unwrap_or_else(|| flat(self.term, self.home)),
            _ => flat(self.term, self.home),
        }
    }

    fn array<S: Serializer>(self, items: impl Iterator<Item = &'a Term>, to: S) -> Result<S::Ok, S::Error> {
        let mut array = to.serialize_seq(None)?;
        for item in items {
            array.serialize_element(&self.of(item))?;
        }
        array.end()
    }

    fn map<S: Serializer>(self, pairs: &'a [(Term, Term)], to: S) -> Result<S::Ok, S::Error> {
        let keys: Vec<String> = pairs.iter().map(|(key, _)| self.of(key).text()).collect();
        let different: HashSet<&String> = keys.iter().collect();
        if different.len() < keys.len() {
            let mut array = to.serialize_seq(Some(pairs.len()))?;
            for (key, value) in pairs {
                array.serialize_element(&(self.of(key), self.of(value)))?;
            }
            return array.end();
        }
        let mut object = to.serialize_map(Some(pairs.len()))?;
        for (key, (_, value)) in keys.iter().zip(pairs) {
            object.serialize_entry(key, &self.of(value))?;
        }
        object.end()
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.term {
            Term::Integer(number) => to.serialize_i64(*number),
            // As digits: no type of serde is large enough.
            Term::Big(number) => RawValue::from_string(number.to_string())
                .map_err(S::Error::custom)?
                .serialize(to),
            Term::Float(number) => to.serialize_f64(*number),
            Term::Atom(atom) => match atom.text() {
                "true" => to.serialize_bool(true),
                "false" => to.serialize_bool(false),
                "null" => to.serialize_unit(),
                text => to.serialize_str(text),
            },
            Term::Tuple(items) => self.array(items.iter(), to),
            Term::List(items) if print::readable(items).is_none() => self.array(items.iter(), to),
            Term::Improper(list) => self.array(list.0.iter().chain([&list.1]), to),
            Term::Map(pairs) => self.map(pairs, to),
            _ => to.serialize_str(&self.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{home, term_with_funs};
    use super::super::parse;
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> String {
        let home = home();
        let term = parse(text, &home).unwrap();
        serde_json::to_string(&Json {
            term: &term,
            home: &home,
        })
        .unwrap()
    }

    #[test]
    fn each_kind_has_its_form() {
        for (erlang, expected) in [
            ("1", "1"),
            (
                "-123456789012345678901234567890",
                "-123456789012345678901234567890",
            ),
            ("1.5", "1.5"),
            ("[true,false,null,undefined]", r#"[true,false,null,"undefined"]"#),
            (r#"<<"smör"/utf8>>"#, r#""smör""#),
            ("<<255,0>>", r#""<<255,0>>""#),
            ("<<5:3>>", r#""<<5:3>>""#),
            ("{a,1}", r#"["a",1]"#),
            ("[]", "[]"),
            ("[1,2]", "[1,2]"),
            (r#""25""#, r#""25""#),
            ("[1|2]", "[1,2]"),
            (
                r#"#{a => 1, <<"b">> => 2, "c" => 3, 4 => 5}"#,
                r#"{"a":1,"b":2,"c":3,"4":5}"#,
            ),
            (r#"#{a => 1, <<"a">> => 2}"#, r#"[["a",1],["a",2]]"#),
            ("<0.80.0>", r#""<0.80.0>""#),
            ("fun lists:map/2", r#""fun lists:map/2""#),
        ] {
            assert_eq!(json(erlang), expected, "{erlang}");
        }
    }

    proptest! {
        #[test]
        fn every_term_has_one(term in term_with_funs()) {
            let home = home();
            let text = serde_json::to_string(&Json { term: &term, home: &home }).unwrap();
            prop_assert!(serde_json::from_str::<Box<RawValue>>(&text).is_ok(), "{}", text);
        }
    }
}
