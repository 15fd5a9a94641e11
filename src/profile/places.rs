//! Where each key and value of a YAML text stands, so that errors can point at it.
//!
//! Paths are written as serde's errors write them: `nodes.members[0].tcp_port`.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScanError, Span};

/// Nesting beyond this is no profile, and would overflow the stack.
const MAX_DEPTH: usize = 64;

/// The byte ranges of a text's keys and values, by path.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    by_path: BTreeMap<String, Place>,
    /// Keys that stand twice in one map: where the first and where the second stands.
    pub(super) duplicates: Vec<(String, Range<usize>, Range<usize>)>,
}

/// Where one key and its value stand.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// A text that is no YAML: what is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) at: usize,
}

impl Places {
    /// Walks through `text`.
    pub(super) fn of(text: &str) -> Result<Places, SyntaxError> {
        let mut walk = Walk {
            text,
            parser: Parser::new_from_str(text),
            places: Places::default(),
            cursor: Cursor::default(),
        };
        walk.document()?;
        Ok(walk.places)
    }

    /// Where `path` stands, or else what encloses it.
    pub(super) fn nearest(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.by_path.get(path) {
                return Some(place);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// Whether this text says anything about exactly `path`.
    pub(super) fn contains(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }
}

// Private

struct Walk<'a> {
    text: &'a str,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    places: Places,
    cursor: Cursor,
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
                        let message =
                            "a profile is one YAML document, and a second one begins here".to_owned();
                        return Err(SyntaxError {
                            message,
                            at: self.byte(span.start.index()),
                        });
                    }
                }
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                event => {
                    self.value(&event, span, "", 0)?;
                }
            }
        }
    }

    /// Walks through the value that `event` begins; returns where it stands.
    fn value(
        &mut self,
        event: &Event<'a>,
        span: Span,
        path: &str,
        depth: usize,
    ) -> Result<Range<usize>, SyntaxError> {
        let start = self.byte(span.start.index());
        if depth > MAX_DEPTH {
            return Err(SyntaxError {
                message: format!("nested deeper than {MAX_DEPTH} levels"),
                at: start,
            });
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
                return Ok(start..self.byte(span.start.index()).max(start));
            }
            let name = match &event {
                Event::Scalar(name, ..) => name.to_string(),
                _ => "?".to_owned(),
            };
            let key = self.value(&event, span, "?", depth + 1)?;
            let child = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let (event, span) = self.next()?;
            let value = self.value(&event, span, &child, depth + 1)?;
            if let Some(first) = seen.get(&name) {
                self.places.duplicates.push((name, first.clone(), key));
                continue;
            }
            self.places.by_path.insert(
                child,
                Place {
                    key: key.clone(),
                    value,
                },
            );
            seen.insert(name, key);
        }
    }

    fn sequence(&mut self, start: usize, path: &str, depth: usize) -> Result<Range<usize>, SyntaxError> {
        for index in 0.. {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(start..self.byte(span.start.index()).max(start));
            }
            let child = format!("{path}[{index}]");
            let value = self.value(&event, span, &child, depth + 1)?;
            self.places.by_path.insert(
                child,
                Place {
                    key: value.clone(),
                    value,
                },
            );
        }
        unreachable!("the loop above only ends by returning")
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax_error(&error)),
            None => Err(SyntaxError {
                message: "unexpected end".to_owned(),
                at: self.text.len(),
            }),
        }
    }

    fn syntax_error(&mut self, error: &ScanError) -> SyntaxError {
        let text = error.to_string();
        let message = text
            .rsplit_once(" at byte ")
            .map_or(text.as_str(), |(message, _)| message)
            .to_owned();
        SyntaxError {
            message,
            at: self.byte(error.marker().index()),
        }
    }

    fn byte(&mut self, index: usize) -> usize {
        self.cursor.byte(self.text, index)
    }
}

/// Turns the parser's character indices into byte offsets without starting from the front each time.
#[derive(Default)]
struct Cursor {
    chars: usize,
    bytes: usize,
}

impl Cursor {
    fn byte(&mut self, text: &str, index: usize) -> usize {
        if index < self.chars {
            *self = Cursor::default();
        }
        for c in text[self.bytes..].chars().take(index - self.chars) {
            self.chars += 1;
            self.bytes += c.len_utf8();
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice<'a>(text: &'a str, path: &str) -> (&'a str, &'a str) {
        let places = Places::of(text).unwrap();
        let place = places.nearest(path).unwrap();
        (&text[place.key.clone()], &text[place.value.clone()])
    }

    #[test]
    fn finds_keys_and_values_in_block_and_flow_style() {
        let text = "ä: ö\nnodes:\n  count: 4\n  restart: {backoff: 1s..2s, give_up_after: 3}\n  members: [{name: a}, {name: b}]\n";
        assert_eq!(slice(text, "nodes.count"), ("count", "4"));
        assert_eq!(slice(text, "nodes.restart.backoff"), ("backoff", "1s..2s"));
        assert_eq!(slice(text, "nodes.members[1].name"), ("name", "b"));
    }

    #[test]
    fn a_path_that_is_not_there_is_found_by_what_encloses_it() {
        assert_eq!(slice("nodes:\n  count: 4\n", "nodes.restart.backoff").0, "nodes");
        assert!(Places::of("a: 1\n").unwrap().nearest("b").is_none());
    }

    #[test]
    fn duplicates_are_found_with_both_places() {
        let text = "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n";
        let names: Vec<_> = Places::of(text)
            .unwrap()
            .duplicates
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        assert_eq!(names, ["c", "a"]);
    }

    #[test]
    fn broken_texts_are_errors_with_a_place() {
        let deep = "[".repeat(1_000);
        for text in [
            "a: [1",
            "a: b: c",
            "\"",
            "a: 1\n---\nb: 2\n",
            "\t- x",
            "a: *nobody",
            deep.as_str(),
        ] {
            let error = Places::of(text).unwrap_err();
            assert!(
                error.at <= text.len() && !error.message.is_empty(),
                "{text}: {error:?}"
            );
        }
    }
}
