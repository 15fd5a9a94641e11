//! From a merged map to a typed document, with plain messages for wrong types.

use serde_yaml::Value;

use super::closest::closest;
use super::document::Document;
use super::layer::VARIABLES;
use super::layers::Layers;
use super::mistyped;
use super::problem::Problem;
use crate::base::units::excerpt;

/// Parses the merged `layers` as a document.
///
/// # Errors
/// With every value that is of the wrong type.
pub(super) fn document(layers: &Layers) -> Result<Document, Vec<Problem>> {
    let mut merged = layers.merged();
    let mut problems = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, Document>(merged.clone()) {
            Ok(document) if problems.is_empty() => return Ok(document),
            Ok(_) => return Err(problems),
            Err(error) => error,
        };
        let path = error.path().to_string();
        problems.push(problem(layers, &merged, &path, &error.inner().to_string()));
        // With the default in its place, the next wrong value is found; a list is replaced as a
        // whole.
        let known = path.split('[').next().unwrap_or_default();
        if !restore(&mut merged, layers, known) {
            return Err(problems);
        }
    }
}

// Private

/// Restores the default of `path`; returns whether that changed anything.
fn restore(merged: &mut Value, layers: &Layers, path: &str) -> bool {
    let Some(default) = layers.default_of(path) else {
        return false;
    };
    let mut slot = merged;
    for key in path.split('.') {
        match slot.get_mut(key) {
            Some(below) => slot = below,
            None => return false,
        }
    }
    let changed = slot != default;
    *slot = default.clone();
    changed
}

fn problem(layers: &Layers, merged: &Value, path: &str, error: &str) -> Problem {
    // A map that is null is read like an empty map.
    let null = error.starts_with("missing field") && !path.contains('[');
    let error = if null { "unit value, expected a map" } else { error };
    let found = at(merged, path).unwrap_or(&Value::Null);
    let mut plain = plain(error, found);
    if path.starts_with(VARIABLES)
        && found.is_string()
        && let Some((_value, expected)) = plain.rsplit_once("expected ")
    {
        plain = format!("a text, expected {expected}");
    }
    let problem = Problem::new(format!("`{}`: {plain}", excerpt(path))).mark(layers.mark(path, ""));
    if let Some(meant) = variant(error) {
        return problem.hint(format!("did you mean `{meant}`?"));
    }
    let expected = match error.rsplit_once("expected ") {
        Some((_, structure)) if structure.starts_with("struct ") => "a map",
        Some((_, expected)) => expected,
        None => "",
    };
    match mistyped::hint(layers, path, found, expected) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// The value of `path`, in maps and lists.
fn at<'a>(merged: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = merged;
    for step in path.split(['.', '[']) {
        value = match step.strip_suffix(']') {
            Some(index) => value.get(index.parse::<usize>().ok()?)?,
            None => value.get(step)?,
        };
    }
    Some(value)
}

/// The parser's message in plain words.
fn plain(error: &str, found: &Value) -> String {
    // These messages do not contain the value.
    let wanted = match error {
        "invalid IP address syntax" => "an IP address",
        "invalid socket address syntax" => "an address with a port, such as `127.0.0.1:8404` or `[::1]:8404`",
        _ => "",
    };
    if let Some(text) = found.as_str().filter(|_| !wanted.is_empty()) {
        return format!("`{}` is not {wanted}", excerpt(text));
    }
    // The value comes first, however long it is.
    let mut plain = match error.rsplit_once(", expected ") {
        Some((found, expected)) => format!("{}, expected {expected}", excerpt(found)),
        None => error.to_owned(),
    };
    for (trade, word) in [
        ("invalid type: ", ""),
        ("invalid value: ", ""),
        ("unknown variant ", ""),
        ("unit value", "nothing (null)"),
        ("integer `", "`"),
        ("floating point `", "`"),
        ("boolean `", "`"),
        ("string \"", "\""),
        ("sequence, ", "a list, "),
        ("map, ", "a map, "),
        ("expected a sequence", "expected a list"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected path string", "expected a path"),
        ("expected IP address", "expected an IP address"),
        ("expected a Value::Tagged enum", "expected a word"),
        ("expected a boolean", "expected `true` or `false`"),
        (
            "expected socket address",
            "expected an address with a port, such as `127.0.0.1:8404` or `[::1]:8404`",
        ),
    ] {
        plain = plain.replace(trade, word);
    }
    match plain.split_once("expected struct ") {
        Some((found, _)) => format!("{found}expected a map"),
        None => plain,
    }
}

/// The variant that was probably meant, from an error that lists them in backticks.
fn variant(error: &str) -> Option<&str> {
    let mut words = error.strip_prefix("unknown variant `")?.split('`');
    let written = words.next()?;
    closest(written, words.skip(1).step_by(2))
}
