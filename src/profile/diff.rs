//! The differences between two profiles.

use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::Value;

use super::layer::VARIABLES;
use super::problem::Problems;
use super::resolve::settled;
use super::source::Source;
use super::spans::join;
use crate::base::secret::{HIDDEN, Secret};

/// One value that differs. Texts are YAML on one line; `None` where the profile does not have the
/// value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The value's path, as `--set` takes it.
    pub path: String,
    /// The old value.
    pub was: Option<String>,
    /// The new value.
    pub is: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{}: {} -> {}", self.path, text(&self.was), text(&self.is))
    }
}

/// An effective value.
#[derive(Clone, PartialEq, Eq)]
enum Entry {
    Shown(String),
    Hidden(Secret),
}

/// Every value that differs between the effective values of `old` and `new`, by path.
///
/// # Errors
/// With everything that is wrong with one of them.
pub fn difference(old: &Source, new: &Source) -> Result<Vec<Change>, Problems> {
    let (old, new) = (values(old)?, values(new)?);
    let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
    paths.sort();
    paths.dedup();
    let change = |path: &String| {
        let (was, is) = (old.get(path), new.get(path));
        (was != is).then(|| Change {
            path: path.clone(),
            was: was.map(Entry::text),
            is: is.map(Entry::text),
        })
    };
    Ok(paths.into_iter().filter_map(change).collect())
}

// Private

impl Entry {
    fn text(&self) -> String {
        match self {
            Entry::Shown(text) => text.clone(),
            Entry::Hidden(_) => HIDDEN.to_owned(),
        }
    }
}

fn values(source: &Source) -> Result<BTreeMap<String, Entry>, Problems> {
    let document = settled(source)?;
    let mut values = BTreeMap::new();
    let value = serde_yaml::to_value(&document).unwrap_or_default();
    flatten(&value, String::new(), &mut values);
    // As a value, one secret looks like any other.
    let secrets = document.nodes.environment.into_iter();
    values.extend(secrets.map(|(name, secret)| (join(VARIABLES, &name), Entry::Hidden(secret))));
    Ok(values)
}

fn flatten(value: &Value, path: String, values: &mut BTreeMap<String, Entry>) {
    let Value::Mapping(map) = value else {
        let text = serde_json::to_string(value).unwrap_or_default();
        values.insert(path, Entry::Shown(text.trim_matches('"').to_owned()));
        return;
    };
    for (key, value) in map {
        let key = key.as_str().unwrap_or("?");
        let child = if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        };
        flatten(value, child, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(sets: &[&str]) -> Source {
        let sets = sets.iter().map(|set| (*set).to_owned()).collect();
        Source {
            sets,
            ..Source::read("default").unwrap()
        }
    }

    #[test]
    fn differences_are_listed_by_path() {
        let changes = difference(
            &source(&[]),
            &source(&["limits.maxconn=500", "listen.address=[127.0.0.1]"]),
        )
        .unwrap();
        let texts: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "limits.maxconn: 100000 -> 500",
                r#"listen.address: ["0.0.0.0","::"] -> ["127.0.0.1"]"#
            ]
        );
    }

    #[test]
    fn a_changed_variable_is_listed_without_its_value() {
        let command = ["nodes.runtime=command", "nodes.command=[sh]"];
        let with = |sets: &[&str]| source(&[&command, sets].concat());
        let old = with(&["nodes.environment.A=s3cret", "nodes.environment.C=1"]);
        let new = with(&[
            "nodes.environment.A=n3w",
            "nodes.environment.B=1",
            "nodes.environment.C=1",
        ]);
        let changes = difference(&old, &new).unwrap();
        let texts: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "nodes.environment.A: *** -> ***",
                "nodes.environment.B: nothing -> ***"
            ]
        );
    }

    #[test]
    fn equal_profiles_have_no_difference() {
        assert_eq!(difference(&source(&[]), &source(&["nodes.count=4"])).unwrap(), []);
    }
}
