//! One of the texts of a profile, read as YAML: the defaults, a file, or a `--set`.

use std::ops::Range;
use std::sync::Arc;

use serde_yaml::{Mapping, Value};

use super::problem::{Mark, Problem, Text};
use super::spans::{Location, Locations, join};
use crate::base::units::excerpt;

/// Larger profiles are refused, so that reading one stays fast.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The map of variables; a key in it is not a key of the profile.
pub(super) const VARIABLES: &str = "nodes.environment";

/// Some editors put this in front of a text in UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A map with some of a profile's keys, and where they were written.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) text: Arc<Text>,
    pub(super) locations: Locations,
    /// Always a map.
    pub(super) value: Value,
}

impl Layer {
    /// Reads a whole file. A byte order mark at its beginning is ignored.
    pub(super) fn file(name: &str, content: &str) -> Result<Layer, Vec<Problem>> {
        let content = content.trim_start_matches(BYTE_ORDER_MARK);
        let text = Text::new(name, content);
        let (mut value, locations) = yaml(&text, 0..content.len(), "")?;
        let what = match &value {
            Value::Mapping(_) => {
                variables_as_text(&mut value, &locations, content);
                return Ok(Layer {
                    text,
                    locations,
                    value,
                });
            }
            Value::Null => "the profile is empty",
            Value::Sequence(_) => "a profile is a map of keys, and this is a list",
            _ => "a profile is a map of keys, and this is a single value",
        };
        let start = content.len() - content.trim_start().len();
        Err(vec![
            Problem::at(Mark::new(&text, start..start + 1, ""), what)
                .hint("write only what differs from the default, such as `cluster: mine`; `clusterctl profile show default` lists every key"),
        ])
    }

    /// Reads `key.path=value`.
    pub(super) fn set(set: &str) -> Result<Layer, Vec<Problem>> {
        const PREFIX: &str = "--set ";
        let set = set.trim_start_matches(BYTE_ORDER_MARK);
        let text = Text::set(&format!("{PREFIX}{set}"));
        let whole = PREFIX.len()..text.content.len();
        let usage = "it is `--set key.path=value`, such as `--set nodes.count=2`";
        let Some((path, _)) = set.split_once('=') else {
            return Err(vec![
                Problem::at(Mark::new(&text, whole, ""), "no `=` in `--set`").hint(usage),
            ]);
        };
        let path = path.trim_end();
        if path.split('.').any(str::is_empty) {
            return Err(vec![
                Problem::at(Mark::new(&text, whole, ""), "`--set` needs a path of keys").hint(usage),
            ]);
        }
        let start = text.content.find('=').unwrap_or(PREFIX.len()) + 1;
        let written = &text.content[start..];
        let variable = path
            .strip_prefix(VARIABLES)
            .and_then(|name| name.strip_prefix('.'));
        let keys: Vec<&str> = match variable {
            // The name of a variable may contain dots.
            Some(name) => VARIABLES.split('.').chain([name]).collect(),
            None => path.split('.').collect(),
        };
        let (mut value, locations) = match variable {
            // As a shell passes it: not YAML, unless it is in quotes.
            Some(_) if !written.starts_with(['"', '\'']) => (written.into(), Locations::default()),
            _ => yaml(&text, start..text.content.len(), path)?,
        };
        let mut locations = locations.moved(0, path);
        let mut key_start = PREFIX.len();
        let mut above = String::new();
        for key in &keys {
            above = join(&above, key);
            let key = key_start..key_start + key.len();
            key_start = key.end + 1;
            let value = start..text.content.len();
            locations.insert(above.clone(), Location { key, value });
        }
        for key in keys.into_iter().rev() {
            value = Value::Mapping(Mapping::from_iter([(key.into(), value)]));
        }
        variables_as_text(&mut value, &locations, &text.content);
        Ok(Layer {
            text,
            locations,
            value,
        })
    }
}

// Private

/// Makes texts of variables that YAML takes for numbers or booleans, as they are written: `1.10` is
/// not `1.1`.
fn variables_as_text(value: &mut Value, locations: &Locations, content: &str) {
    let variables = VARIABLES
        .split('.')
        .try_fold(value, |value, key| value.get_mut(key));
    let variables = variables.and_then(Value::as_mapping_mut);
    for (name, value) in variables.into_iter().flatten() {
        if !matches!(value, Value::Number(_) | Value::Bool(_)) {
            continue;
        }
        let location = name
            .as_str()
            .and_then(|name| locations.get(&join(VARIABLES, name)));
        if let Some(written) = location.and_then(|location| content.get(location.value.clone())) {
            *value = written.trim().into();
        }
    }
}

/// Reads the part of `text` that is YAML, as the value of `path`.
fn yaml(text: &Arc<Text>, part: Range<usize>, path: &str) -> Result<(Value, Locations), Vec<Problem>> {
    let content = &text.content[part.clone()];
    let syntax = |at: usize, message: &str| {
        let problem = Problem::at(Mark::new(text, part.start + at..part.start + at + 1, ""), message);
        vec![match placeholder_at(content, at) {
            Some(placeholder) => problem.hint(format!(
                "put a word with braces in quotes, such as `\"{placeholder}\"`"
            )),
            None => problem,
        }]
    };
    if content.len() > MAX_BYTES {
        return Err(syntax(0, "the profile is larger than 1 MiB"));
    }
    if let Some(at) = indenting_tab(content) {
        let tab = part.start + at;
        return Err(vec![
            Problem::at(Mark::new(text, tab..tab + 1, ""), "a tab cannot indent YAML").hint("use spaces"),
        ]);
    }
    let locations = Locations::below(content, path).map_err(|error| syntax(error.at, &error.message))?;
    let quoted = locations.quoted(content);
    let locations = locations.moved(part.start, "");
    if !locations.duplicates.is_empty() {
        return Err(locations
            .duplicates
            .iter()
            .map(|twice| duplicate(text, twice))
            .collect());
    }
    let value = serde_yaml::from_str(&quoted).map_err(|error| {
        let at = error.location().map_or(0, |location| location.index());
        syntax(at, &format!("not valid YAML: {error}"))
    })?;
    Ok((value, locations))
}

/// The placeholder in the line of a parser's error: in a list, braces begin a map.
fn placeholder_at(content: &str, at: usize) -> Option<&'static str> {
    const PLACEHOLDERS: [&str; 5] = ["{tcp_port}", "{http_port}", "{name}", "{n}", "{address}"];

    let (before, after) = content.split_at(content.floor_char_boundary(at));
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = after.split('\n').next().unwrap_or_default();
    let line = format!("{before}{after}");
    PLACEHOLDERS
        .into_iter()
        .find(|placeholder| line.contains(placeholder))
}

fn duplicate(text: &Arc<Text>, (path, first, second): &(String, Range<usize>, Range<usize>)) -> Problem {
    Problem::at(
        Mark::new(text, second.clone(), "again"),
        format!("the key `{}` is given twice", excerpt(path)),
    )
    .mark(Some(Mark::new(text, first.clone(), "first")))
    .hint("leave one of them out")
}

fn indenting_tab(content: &str) -> Option<usize> {
    let mut start = 0;
    for line in content.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let blank = line.trim().is_empty();
        if let Some(tab) = line[..indent].find('\t').filter(|_| !blank) {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_a_nested_map_with_the_positions_of_its_keys() {
        let layer = Layer::set("nodes.restart={give_up_after: 3}").unwrap();
        assert_eq!(
            serde_yaml::to_string(&layer.value).unwrap().trim(),
            "nodes:\n  restart:\n    give_up_after: 3"
        );
        let key = |path: &str| &layer.text.content[layer.locations.get(path).unwrap().key.clone()];
        assert_eq!(key("nodes"), "nodes");
        assert_eq!(key("nodes.restart"), "restart");
        assert_eq!(key("nodes.restart.give_up_after"), "give_up_after");
    }

    #[test]
    fn a_byte_order_mark_shifts_no_position() {
        let layer = Layer::file("p.yaml", "\u{feff}cluster: a\r\nnodes: {count: 2}\r\n").unwrap();
        assert_eq!(layer.locations.get("cluster").unwrap().key, 0..7);
        let count = layer.locations.get("nodes.count").unwrap().value.clone();
        assert_eq!(&layer.text.content[count], "2");
        let empty = Layer::file("p.yaml", "\u{feff}").unwrap_err();
        assert_eq!(empty[0].message, "the profile is empty");
        assert!(
            Layer::set("\u{feff}nodes.count=2")
                .unwrap()
                .locations
                .get("nodes.count")
                .is_some()
        );
    }

    #[test]
    fn only_tabs_that_indent_are_refused() {
        assert_eq!(indenting_tab("a: 1\t# tab\n \t\nb: \"\t\"\n"), None);
        assert_eq!(indenting_tab("a:\n \tb: 1\n"), Some(4));
    }

    #[test]
    fn a_too_large_text_is_refused_at_once() {
        let problems = Layer::file("huge.yaml", &"a".repeat(MAX_BYTES + 1)).unwrap_err();
        assert_eq!(problems[0].message, "the profile is larger than 1 MiB");
    }
}
