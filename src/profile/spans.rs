//! The positions of all keys and values of a YAML text, so that errors can point at them.
//!
//! Paths are written as in serde's errors: `nodes.members[0].tcp_port`.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::layer::VARIABLES;
use crate::base::units::excerpt;

/// A profile is never nested deeper; more would overflow the stack.
const MAX_DEPTH: usize = 64;

/// A profile has no longer path, and a text could contain millions of them.
const MAX_PATH: usize = 256;

/// The byte ranges of a text's keys and values, by path.
#[derive(Clone, Debug, Default)]
pub(super) struct Locations {
    by_path: BTreeMap<String, Location>,
    /// Duplicate keys of one map: the path, and the ranges of the first and the second.
    pub(super) duplicates: Vec<(String, Range<usize>, Range<usize>)>,
    /// Values of variables that no YAML parser can read as numbers.
    large_variables: Vec<Range<usize>>,
}

/// The ranges of one key and its value.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// A text that is not YAML: what is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) at: usize,
}

impl Locations {
    /// Collects the positions in `text`, which is the value of `path`: positions are those below
    /// it.
    pub(super) fn below(text: &str, path: &str) -> Result<Locations, SyntaxError> {
        let mut walk = Walk {
            text,
            base: path,
            parser: Parser::new_from_str(text),
            locations: Locations::default(),
            offsets: text.char_indices().map(|(at, _)| at).collect(),
        };
        walk.document()?;
        Ok(walk.locations)
    }

    /// The position of exactly `path`.
    pub(super) fn get(&self, path: &str) -> Option<&Location> {
        self.by_path.get(path)
    }

    /// The same `text` with such values in quotes.
    pub(super) fn quoted(&self, text: &str) -> String {
        let mut quoted = text.to_owned();
        for range in self.large_variables.iter().rev() {
            quoted.insert(range.end, '"');
            quoted.insert(range.start, '"');
        }
        quoted
    }

    /// These positions, shifted for a longer text that contains this one from its byte `offset` on,
    /// as the value of `path`.
    pub(super) fn moved(self, offset: usize, path: &str) -> Locations {
        let there = |range: Range<usize>| range.start + offset..range.end + offset;
        Locations {
            by_path: self
                .by_path
                .into_iter()
                .map(|(child, location)| {
                    let location = Location {
                        key: there(location.key),
                        value: there(location.value),
                    };
                    (join(path, &child), location)
                })
                .collect(),
            duplicates: self
                .duplicates
                .into_iter()
                .map(|(child, first, second)| (join(path, &child), there(first), there(second)))
                .collect(),
            large_variables: self.large_variables.into_iter().map(there).collect(),
        }
    }

    /// Adds a position that was found elsewhere.
    pub(super) fn insert(&mut self, path: String, location: Location) {
        self.by_path.insert(path, location);
    }
}

/// The path of `child` (a key, an index in brackets, or a path of them) below `path`.
pub(super) fn join(path: &str, child: &str) -> String {
    if path.is_empty() || child.is_empty() || child.starts_with('[') {
        format!("{path}{child}")
    } else {
        format!("{path}.{child}")
    }
}

/// The path that encloses `path`.
pub(super) fn parent(path: &str) -> Option<&str> {
    match path.rfind(['.', '[']) {
        Some(end) => Some(&path[..end]),
        None if path.is_empty() => None,
        None => Some(""),
    }
}

// Private

struct Walk<'a> {
    text: &'a str,
    /// The path of the whole text.
    base: &'a str,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    locations: Locations,
    /// The byte offset of each character, because the parser counts characters.
    offsets: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn document(&mut self) -> Result<(), SyntaxError> {
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let message = "a profile is one YAML document, and a second document begins here";
                        return Err(self.refused(message, span));
                    }
                }
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                event => {
                    self.value(&event, span, "", 0)?;
                }
            }
        }
    }

    /// Walks through the value that `event` begins; returns its range.
    fn value(
        &mut self,
        event: &Event<'a>,
        span: Span,
        path: &str,
        depth: usize,
    ) -> Result<Range<usize>, SyntaxError> {
        let start = self.byte(span.start.index());
        if depth > MAX_DEPTH {
            return Err(self.refused(&format!("nested deeper than {MAX_DEPTH} levels"), span));
        }
        if path.len() > MAX_PATH {
            return Err(self.refused("the key is too long", span));
        }
        let (anchor, tag) = match event {
            Event::Alias(anchor) => (*anchor, &None),
            Event::Scalar(_, _, anchor, tag)
            | Event::MappingStart(anchor, tag)
            | Event::SequenceStart(anchor, tag) => (*anchor, tag),
            _ => (0, &None),
        };
        if anchor != 0 {
            return Err(self.refused("a profile has no anchors and aliases: write the value out", span));
        }
        if tag.is_some() {
            return Err(self.refused("a profile has no tags: write the value alone", span));
        }
        if let Event::Scalar(written, ScalarStyle::Plain, ..) = event
            && is_too_large(written)
        {
            if join(self.base, path).starts_with(VARIABLES) {
                let range = self.byte(span.start.index())..self.byte(span.end.index());
                self.locations.large_variables.push(range.clone());
                return Ok(range);
            }
            let message = format!(
                "`{}` is too large: no number in a profile is that large",
                excerpt(written)
            );
            return Err(self.refused(&message, span));
        }
        match event {
            Event::MappingStart(..) => self.mapping(start, path, depth),
            Event::SequenceStart(..) => self.sequence(start, path, depth),
            _ => Ok(start..self.byte(span.end.index()).max(start)),
        }
    }

    fn mapping(&mut self, start: usize, path: &str, depth: usize) -> Result<Range<usize>, SyntaxError> {
        let mut seen: BTreeMap<String, Range<usize>> = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(start..self.byte(span.end.index()).max(start));
            }
            let name = match &event {
                Event::Scalar(name, ..) => name.to_string(),
                _ => return Err(self.refused("a key is a plain word", span)),
            };
            let key = self.value(&event, span, "", depth + 1)?;
            let child = join(path, &name);
            let (event, span) = self.next()?;
            let value = self.value(&event, span, &child, depth + 1)?;
            if let Some(first) = seen.get(&name) {
                self.locations.duplicates.push((child, first.clone(), key));
                continue;
            }
            self.locations.by_path.insert(
                child,
                Location {
                    key: key.clone(),
                    value,
                },
            );
            seen.insert(name, key);
        }
    }

    fn sequence(&mut self, start: usize, path: &str, depth: usize) -> Result<Range<usize>, SyntaxError> {
        let mut index = 0_usize;
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(start..self.byte(span.end.index()).max(start));
            }
            let child = format!("{path}[{index}]");
            let value = self.value(&event, span, &child, depth + 1)?;
            self.locations.by_path.insert(
                child,
                Location {
                    key: value.clone(),
                    value,
                },
            );
            index += 1;
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax_error(&error)),
            None => Err(SyntaxError {
                message: "not valid YAML: unexpected end".to_owned(),
                at: self.text.len(),
            }),
        }
    }

    fn syntax_error(&self, error: &ScanError) -> SyntaxError {
        let text = error.to_string();
        let message = text
            .rsplit_once(" at byte ")
            .map_or(text.as_str(), |(message, _)| message);
        SyntaxError {
            message: format!("not valid YAML: {message}"),
            at: self.byte(error.marker().index()),
        }
    }

    fn refused(&self, message: &str, span: Span) -> SyntaxError {
        SyntaxError {
            message: message.to_owned(),
            at: self.byte(span.start.index()),
        }
    }

    fn byte(&self, index: usize) -> usize {
        self.offsets.get(index).copied().unwrap_or(self.text.len())
    }
}

/// Whether it is a whole number that does not fit into 64 bits.
fn is_too_large(written: &str) -> bool {
    let digits = written.strip_prefix(['-', '+']).unwrap_or(written);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number && written.parse::<u64>().is_err() && written.parse::<i64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice<'a>(text: &'a str, path: &str) -> (&'a str, &'a str) {
        let locations = Locations::below(text, "").unwrap();
        let location = locations.get(path).unwrap();
        (&text[location.key.clone()], &text[location.value.clone()])
    }

    #[test]
    fn finds_keys_and_values_in_block_and_flow_style() {
        let text = "ä: ö\nnodes:\n  count: 4\n  restart: {backoff: 1s..2s, give_up_after: 3}\n  members: [{name: a}, {name: b}]\n";
        assert_eq!(slice(text, "nodes.count"), ("count", "4"));
        assert_eq!(slice(text, "nodes.restart.backoff"), ("backoff", "1s..2s"));
        assert_eq!(slice(text, "nodes.members[1].name"), ("name", "b"));
    }

    #[test]
    fn moves_below_a_path_of_a_longer_text() {
        let text = "nodes.members=[{name: a}]";
        let locations = Locations::below(&text[14..], "nodes.members")
            .unwrap()
            .moved(14, "nodes.members");
        let location = locations.get("nodes.members[0].name").unwrap();
        assert_eq!(&text[location.value.clone()], "a");
    }

    #[test]
    fn a_parent_encloses_the_joined_child() {
        for (path, child) in [("", "a"), ("a", "b"), ("a.b", "[0]"), ("a[0]", "b")] {
            assert_eq!(parent(&join(path, child)), Some(path));
        }
        assert_eq!(parent(""), None);
    }

    #[test]
    fn duplicates_are_found_with_both_places() {
        let text = "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n";
        let names: Vec<_> = Locations::below(text, "")
            .unwrap()
            .duplicates
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        assert_eq!(names, ["b.c", "a"]);
    }

    #[test]
    fn broken_texts_are_errors_with_a_place() {
        let deep = "[".repeat(1_000);
        for text in [
            "a: [1",
            "a: b: c",
            "\"",
            "a: 1\n---\nb: 2\n",
            "a:\n\tb: 1",
            "a: *nobody",
            "a: &somebody 1",
            "a: !tag 1",
            "[a]: 1",
            "a: 99999999999999999999999",
            deep.as_str(),
        ] {
            let error = Locations::below(text, "").unwrap_err();
            assert!(
                error.at <= text.len() && !error.message.is_empty(),
                "{text}: {error:?}"
            );
        }
    }
}
