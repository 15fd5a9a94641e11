//! The differences between two profiles.

use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::Value;

use super::problem::Problems;
use super::resolve::effective;
use super::source::Source;

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
        let (was, is) = (old.get(path).cloned(), new.get(path).cloned());
        (was != is).then(|| Change {
            path: path.clone(),
            was,
            is,
        })
    };
    Ok(paths.into_iter().filter_map(change).collect())
}

// Private

fn values(source: &Source) -> Result<BTreeMap<String, String>, Problems> {
    let mut values = BTreeMap::new();
    flatten(&effective(source)?, String::new(), &mut values);
    Ok(values)
}

fn flatten(value: &Value, path: String, values: &mut BTreeMap<String, String>) {
    let Value::Mapping(map) = value else {
        let text = serde_json::to_string(value).unwrap_or_default();
        values.insert(path, text.trim_matches('"').to_owned());
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
    fn equal_profiles_have_no_difference() {
        assert_eq!(difference(&source(&[]), &source(&["nodes.count=4"])).unwrap(), []);
    }
}
