//! The JSON schema of a profile: for editors, and to find unknown keys.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::document::Document;
use super::source::{DEFAULT, embedded};
use super::spans::join;

/// The JSON schema of a profile that a user writes: no key is required, unknown keys are not
/// allowed, and the defaults are included.
#[must_use]
pub fn schema() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Document>()
        .to_value();
    let defaults = embedded(DEFAULT).and_then(|text| serde_yaml::from_str(text).ok());
    relax(&mut schema, defaults.as_ref());
    schema["title"] = json!("clusterctl profile");
    schema
}

/// The schema of the value below `key`, where `schema` describes a map that has it.
pub(super) fn child<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    properties(schema)?.get(key)
}

/// The schema of the value of `path`, where `schema` describes the whole: through maps and lists.
pub(super) fn at<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    path.split(['.', '[']).try_fold(schema, |schema, step| {
        if step.ends_with(']') {
            items(schema)
        } else {
            child(schema, step)
        }
    })
}

/// The schema of a list's items.
pub(super) fn items(schema: &Value) -> Option<&Value> {
    alternatives(schema).find_map(|schema| schema.get("items"))
}

/// The keys of the map that `schema` describes.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    alternatives(schema).find_map(|schema| schema.get("properties")?.as_object())
}

/// The words that `schema` allows, in their order.
pub(super) fn words(schema: &Value) -> Vec<&str> {
    let variants = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let described = variants.filter_map(|variant| variant.get("const"));
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    described.chain(listed).filter_map(Value::as_str).collect()
}

/// Every path below `schema`, through maps only.
pub(super) fn paths(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), schema)];
    while let Some((path, schema)) = open.pop() {
        for (key, child) in properties(schema).into_iter().flatten() {
            let path = join(&path, key);
            found.push(path.clone());
            open.push((path, child));
        }
    }
    found.sort();
    found
}

// Private

/// A value that may be null is described by alternatives.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let others = schema.get("anyOf").and_then(Value::as_array);
    std::iter::once(schema).chain(others.into_iter().flatten())
}

/// Makes every key optional that has a default. Items of lists stay unchanged: lists replace, so
/// each item must be complete.
fn relax(schema: &mut Value, default: Option<&Value>) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.remove("required");
    match object.get_mut("properties").and_then(Value::as_object_mut) {
        Some(properties) => {
            for (key, child) in properties {
                relax(child, default.and_then(|default| default.get(key)));
            }
        }
        None => {
            if let Some(default) = default {
                object.insert("default".to_owned(), default.clone());
            }
        }
    }
    for alternative in object
        .get_mut("anyOf")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        relax(alternative, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_required_and_unknown_keys_are_not_allowed() {
        let schema = schema();
        for path in paths(&schema).iter().map(String::as_str).chain([""]) {
            let mut at = &schema;
            for key in path.split('.').filter(|key| !key.is_empty()) {
                at = child(at, key).unwrap();
            }
            for map in alternatives(at).filter(|map| map.get("properties").is_some()) {
                assert_eq!(map["additionalProperties"], json!(false), "{path}");
                assert!(map.get("required").is_none(), "{path}");
            }
        }
    }

    #[test]
    fn contains_defaults_and_descriptions() {
        let schema = schema();
        let count = child(child(&schema, "nodes").unwrap(), "count").unwrap();
        assert_eq!(count["default"], json!(4));
        assert_eq!(
            count["description"],
            json!("How many nodes, where `members` lists none.")
        );
    }

    #[test]
    fn a_count_is_a_number_or_has_a_suffix() {
        let schema = schema();
        for path in [
            "nodes.count",
            "nodes.maxconn",
            "limits.per_ip.connections",
            "routing.table.size",
            "health.rise",
        ] {
            let count = at(&schema, path).unwrap();
            assert_eq!(count["type"], json!(["integer", "string"]), "{path}");
            assert_eq!(count["pattern"], json!("^ *[0-9]+[kKmM]? *$"), "{path}");
            assert!(
                count["default"].is_u64() || count["default"].is_string(),
                "{path}"
            );
        }
        assert_eq!(
            words(at(&schema, "nodes.runtime").unwrap()),
            ["embedded", "erlang", "command", "external"]
        );
    }

    #[test]
    fn a_members_config_is_laid_over_ours() {
        let schema = schema();
        let config = at(&schema, "nodes.config").unwrap()["description"]
            .as_str()
            .unwrap();
        assert!(config.contains("laid over ours"), "{config}");
    }

    #[test]
    fn a_member_must_be_complete() {
        let schema = schema();
        let members = child(child(&schema, "nodes").unwrap(), "members").unwrap();
        assert!(items(members).unwrap().get("required").is_some());
    }
}
