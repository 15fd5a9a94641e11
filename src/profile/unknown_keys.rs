//! Unknown keys of a profile: all of them, each with the key that was probably meant.

use serde_json::Value as Schema;
use serde_yaml::Value;

use super::closest::closest;
use super::layer::Layer;
use super::problem::{Mark, Problem};
use super::schema::{child, items, paths, properties};
use super::spans::join;
use crate::base::units::excerpt;

/// Removes the keys that `schema` does not have from `layer`, and returns a problem for each.
pub(super) fn take_unknown(layer: &mut Layer, schema: &Schema) -> Vec<Problem> {
    let mut unknown = Vec::new();
    take(&mut layer.value, schema, "", &mut unknown);
    unknown
        .into_iter()
        .map(|(above, key, siblings)| problem(layer, schema, &join(&above, &key), &key, &siblings))
        .collect()
}

// Private

/// An unknown key: the path of its map, the key, and the known keys of that map.
type Unknown = (String, String, Vec<String>);

fn take(value: &mut Value, schema: &Schema, path: &str, unknown: &mut Vec<Unknown>) {
    match value {
        Value::Mapping(map) => {
            let Some(known) = properties(schema) else {
                return;
            };
            map.retain(|key, value| {
                let key = text(key);
                if let Some(schema) = child(schema, &key) {
                    take(value, schema, &join(path, &key), unknown);
                    return true;
                }
                unknown.push((path.to_owned(), key, known.keys().cloned().collect()));
                false
            });
        }
        Value::Sequence(list) => {
            let Some(schema) = items(schema) else {
                return;
            };
            for (index, value) in list.iter_mut().enumerate() {
                take(value, schema, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

/// A key as it is written; YAML allows numbers and more.
fn text(key: &Value) -> String {
    match key {
        Value::String(key) => key.clone(),
        key => serde_yaml::to_string(key)
            .unwrap_or_default()
            .trim_end()
            .to_owned(),
    }
}

fn problem(layer: &Layer, schema: &Schema, path: &str, key: &str, siblings: &[String]) -> Problem {
    let range = layer
        .locations
        .get(path)
        .map_or(0..0, |location| location.key.clone());
    let hint = if key.contains('[') {
        "a list is set as a whole, such as `--set 'listen.address=[127.0.0.1]'`".to_owned()
    } else if let Some(meant) = meant(schema, path, key, siblings) {
        format!("did you mean `{meant}`?")
    } else {
        format!("available here: {}", siblings.join(", "))
    };
    let message = format!("unknown key `{}`", excerpt(path));
    Problem::at(Mark::new(&layer.text, range, ""), message).hint(hint)
}

/// The key that was probably meant: a similar key of the same map, else the same key of another
/// map.
fn meant(schema: &Schema, path: &str, key: &str, siblings: &[String]) -> Option<String> {
    let written = key.replace('-', "_").to_lowercase();
    if let Some(sibling) = closest(&written, siblings.iter().map(String::as_str)) {
        let above = &path[..path.len() - key.len()];
        return Some(format!("{above}{sibling}"));
    }
    paths(schema)
        .into_iter()
        .find(|path| path.rsplit('.').next() == Some(&written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::schema::schema;

    fn hints(text: &str) -> Vec<(String, String)> {
        let mut layer = Layer::file("test.yaml", text).unwrap();
        take_unknown(&mut layer, &schema())
            .into_iter()
            .map(|problem| (problem.message, problem.hint.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn every_unknown_key_is_found_with_a_suggestion() {
        for (text, key, meant) in [
            ("clusterr: a\n", "clusterr", "cluster"),
            ("nodes: {conut: 1}\n", "nodes.conut", "nodes.count"),
            ("nodes: {tcp-port: 1}\n", "nodes.tcp-port", "nodes.tcp_port"),
            ("count: 1\n", "count", "nodes.count"),
            (
                "nodes: {members: [{nam: a}]}\n",
                "nodes.members[0].nam",
                "nodes.members[0].name",
            ),
            ("tls: {keey: a}\n", "tls.keey", "tls.key"),
        ] {
            assert_eq!(
                hints(text),
                [(format!("unknown key `{key}`"), format!("did you mean `{meant}`?"))],
                "{text}"
            );
        }
        assert_eq!(hints("xyz: 1\nnodes: {1: 2}\n").len(), 2);
    }

    #[test]
    fn a_key_without_a_similar_one_is_reported_with_all_keys() {
        assert_eq!(
            hints("binaries: {python: x}\n")[0].1,
            "available here: erl, haproxy, nginx"
        );
    }
}
