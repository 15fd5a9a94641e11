//! Suggestions for values of a wrong type.

use serde_yaml::Value;

use super::flow;
use super::layer::VARIABLES;
use super::layers::Layers;
use super::placeholders::KNOWN;
use super::rules::range_of;
use super::schema::{at, properties, schema, words};
use super::shell::{self, CommandLine};

/// Longer values are not repeated in a hint.
const MAX_CHARS: usize = 200;

/// Lists of a program's arguments.
const COMMANDS: [&str; 2] = ["nodes.command", "nodes.erlang.arguments"];

/// A hint for the value `found` of `path`, where the parser `expected` another type.
pub(super) fn hint(layers: &Layers, path: &str, found: &Value, expected: &str) -> Option<String> {
    if path == VARIABLES || path.starts_with("nodes.environment.") {
        return Some(variable(path, found));
    }
    let hint = match expected {
        "a sequence" => list(path, found),
        "a string" | "path string" => text(layers, path, found),
        "a map" => map(path, found),
        "u16" | "u32" => number(found),
        "a boolean" => boolean(found),
        "a Value::Tagged enum" => word(path),
        _ => None,
    };
    hint.or_else(|| bounds(layers, path))
        .or_else(|| default(layers, path))
}

// Private

/// A hint that contains no part of a value.
fn variable(path: &str, found: &Value) -> String {
    let placeholder = match found {
        // For YAML, `{http_port}` is a map.
        Value::Mapping(map) => map.keys().next().and_then(Value::as_str),
        _ => None,
    };
    match (found, placeholder) {
        (Value::Null, _) if path != VARIABLES => "write `\"\"` for an empty value".to_owned(),
        (_, Some(name)) if KNOWN.contains(&name) => format!("put it in quotes: `\"{{{name}}}\"`"),
        _ if path == VARIABLES => "it is a map, such as `{PORT: \"{http_port}\"}`".to_owned(),
        _ => "put it in quotes".to_owned(),
    }
}

fn list(path: &str, found: &Value) -> Option<String> {
    const MEMBERS: &str = "`[{name: a, address: 127.0.0.1, tcp_port: 9001}]`";

    let short = |line: &&str| line.chars().count() <= MAX_CHARS && !line.trim().is_empty();
    let written = match found {
        Value::String(line) => line.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let line = Some(written.as_str()).filter(short);
    Some(match line {
        _ if path == "nodes.members" => format!("it is a list of nodes, such as {MEMBERS}"),
        Some(line) if COMMANDS.contains(&path) => match shell::split(line) {
            CommandLine::Words(words) => format!("write it as a list: `{}`", flow::list(&words)),
            CommandLine::NeedsShell if path == "nodes.command" => {
                let words = ["sh", "-c", line].map(str::to_owned);
                format!(
                    "the command is run without a shell; this runs it in one: `{}`",
                    flow::list(&words)
                )
            }
            CommandLine::NeedsShell | CommandLine::Unfinished => {
                "it is a list with a word for each argument, such as `[./my-node, --port, \"{tcp_port}\"]`"
                    .to_owned()
            }
        },
        Some(line) => {
            let separators = |c: char| c == ',' || c.is_whitespace();
            let items = line.split(separators).filter(|item| !item.is_empty());
            let items: Vec<String> = items.map(str::to_owned).collect();
            format!("write it as a list: `{}`", flow::list(&items))
        }
        None if COMMANDS.contains(&path) => {
            "it is a list with a word for each argument, such as `[./my-node, --port, \"{tcp_port}\"]`"
                .to_owned()
        }
        None => return None,
    })
}

fn text(layers: &Layers, path: &str, found: &Value) -> Option<String> {
    let written = match found {
        // The text as it is written: `1.10` is not `1.1`.
        Value::Number(_) | Value::Bool(_) => layers.written_value(path)?.to_owned(),
        // For YAML, `{port}` is a map.
        Value::Mapping(map) => match map.iter().next()? {
            (Value::String(name), Value::Null) if map.len() == 1 => format!("{{{name}}}"),
            _ => return None,
        },
        _ => return None,
    };
    let quoted = serde_json::to_string(&written).unwrap_or_default();
    (written.len() <= MAX_CHARS).then(|| format!("put it in quotes: `{quoted}`"))
}

fn map(path: &str, found: &Value) -> Option<String> {
    if found.is_null() {
        return Some(format!("leave `{path}` out to take its defaults"));
    }
    if path == "tls" {
        return Some("it is `{self_signed: true}`, `{certificate: FILE, key: FILE}` or `null`".to_owned());
    }
    let schema = schema();
    let keys: Vec<&str> = properties(at(&schema, path)?)?
        .keys()
        .map(String::as_str)
        .collect();
    Some(format!("it is a map with some of the keys {}", keys.join(", ")))
}

fn number(found: &Value) -> Option<String> {
    // In quotes, or with a leading zero.
    let port: u16 = found.as_str()?.trim().parse().ok()?;
    Some(format!("write it as a number: `{port}`"))
}

fn boolean(found: &Value) -> Option<String> {
    let word = found.as_str()?.to_ascii_lowercase();
    let meant = match word.as_str() {
        "y" | "yes" | "on" | "true" => true,
        "n" | "no" | "off" | "false" => false,
        _ => return None,
    };
    Some(format!("write it as `{meant}`"))
}

fn word(path: &str) -> Option<String> {
    let schema = schema();
    let words: Vec<String> = words(at(&schema, path)?)
        .iter()
        .map(|word| format!("`{word}`"))
        .collect();
    (!words.is_empty()).then(|| format!("it is one of {}", words.join(", ")))
}

fn bounds(layers: &Layers, path: &str) -> Option<String> {
    let range = range_of(path)?;
    let default = layers.default_of(path).and_then(Value::as_u64);
    let default = default
        .map(|default| format!("; the default is `{default}`"))
        .unwrap_or_default();
    Some(format!("it is {} to {}{default}", range.start(), range.end()))
}

fn default(layers: &Layers, path: &str) -> Option<String> {
    let default = match layers.default_of(path.split('[').next()?)? {
        text @ Value::String(_) => serde_yaml::to_string(text).unwrap_or_default(),
        Value::Number(number) => number.to_string(),
        list @ Value::Sequence(items) if !items.is_empty() => serde_json::to_string(list).unwrap_or_default(),
        _ => return None,
    };
    Some(format!("the default is `{}`", default.trim()))
}

#[cfg(test)]
mod tests {
    use crate::profile::{Source, load};

    fn error_for(set: &str) -> String {
        let sets = vec![set.to_owned()];
        let source = Source {
            sets,
            ..Source::read("default").unwrap()
        };
        load(&source).unwrap_err().to_string()
    }

    #[test]
    fn a_hint_contains_the_correct_value() {
        for (set, hint) in [
            (
                "nodes.command=python3 x.py",
                "write it as a list: `[python3, x.py]`",
            ),
            (
                "nodes.command=node 'a b' {tcp_port}",
                r#"write it as a list: `[node, "a b", "{tcp_port}"]`"#,
            ),
            (
                "nodes.command=a | b",
                r#"the command is run without a shell; this runs it in one: `[sh, -c, "a | b"]`"#,
            ),
            (
                "nodes.command=it's",
                "it is a list with a word for each argument, such as",
            ),
            (
                "nodes.command=[a, {tcp_port}]",
                r#"put it in quotes: `"{tcp_port}"`"#,
            ),
            ("nodes.command=[a, 1.10]", r#"put it in quotes: `"1.10"`"#),
            (
                "nodes.erlang.arguments=+S 4",
                r#"write it as a list: `[+S, "4"]`"#,
            ),
            (
                "listen.address='127.0.0.1, ::1'",
                r#"write it as a list: `[127.0.0.1, "::1"]`"#,
            ),
            (
                "limits.per_ip.exempt=10.0.0.0/8",
                "write it as a list: `[10.0.0.0/8]`",
            ),
            (
                "listen.address=[localhost]",
                r#"the default is `["0.0.0.0","::"]`"#,
            ),
            ("nodes.members={name: a}", "it is a list of nodes, such as"),
            ("cluster=[a]", "the default is `erlmcp`"),
            ("cluster=7", r#"put it in quotes: `"7"`"#),
            ("listen.tcp='8000'", "write it as a number: `8000`"),
            ("listen.tcp=010", "write it as a number: `10`"),
            (
                "limits.maxconn=1.5k",
                "it is 1 to 10000000; the default is `100000`",
            ),
            ("nodes.count=70000", "it is 1 to 1000; the default is `4`"),
            (
                "health=5s",
                "it is a map with some of the keys eject, fall, interval, kind, path, rise, timeout",
            ),
            ("tls=true", "it is `{self_signed: true}`"),
            ("tls.self_signed=yes", "write it as `true`"),
            (
                "nodes.runtime=5",
                "it is one of `embedded`, `erlang`, `command`, `external`",
            ),
            ("health=null", "leave `health` out to take its defaults"),
        ] {
            let error_for = error_for(set);
            assert!(
                error_for.contains(&format!("\nhint: {hint}")),
                "{set}: {error_for}"
            );
        }
    }

    #[test]
    fn a_long_value_is_not_repeated() {
        for path in [
            "cluster",
            "nodes.command",
            "nodes.name",
            "listen.tcp",
            "listen.stats",
            "listen.address",
            "tls",
            "nodes",
            "health.interval",
            "nodes.runtime",
            "limits.maxconn",
            "nodes.members",
            "routing.cookie",
            "nope",
        ] {
            let error_for = error_for(&format!("{path}={}", "x ".repeat(100_000)));
            assert!(error_for.len() < 3_000, "{path}: {} bytes", error_for.len());
        }
        let error_for = error_for(&format!("{}=1", "x".repeat(200_000)));
        assert!(error_for.len() < 3_000, "{} bytes", error_for.len());
    }
}
