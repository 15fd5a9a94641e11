//! `--json`: every command prints JSON to stdout or refuses the flag.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::TestCluster;

/// Commands whose output is not data.
const REFUSING: [&str; 5] = ["completions", "dataplane", "man", "node", "supervise"];
/// Commands that print one JSON value, each with its arguments in this test.
const PRINTING: [(&str, &[&str]); 19] = [
    ("check", &[]),
    ("doctor", &[]),
    ("drain", &["erlmcp2"]),
    ("erlang", &[]),
    ("export", &["systemd"]),
    ("health", &[]),
    ("load-test", &["8", "0"]),
    ("profile", &["show"]),
    ("ready", &["erlmcp2"]),
    ("rebalance", &[]),
    ("reload", &[]),
    ("render", &[]),
    ("restart", &["erlmcp3"]),
    ("scale", &["4"]),
    ("start", &[]),
    ("stats", &[]),
    ("status", &[]),
    ("stop", &[]),
    ("switch", &["haproxy"]),
];

fn printed(cluster: &TestCluster, args: &[&str]) -> Value {
    let run = cluster.run(&[args, &["--json"]].concat());
    let value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {run:?}"));
    // The keys of a profile have a schema, and are documented there.
    if args[0] != "profile" {
        let documented = documented_words();
        for field in fields(&value) {
            assert!(
                documented.contains(&field),
                "docs/commands.md does not have `{field}` of {args:?}"
            );
        }
    }
    value
}

/// Words in code spans of docs/commands.md.
fn documented_words() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
    let text = std::fs::read_to_string(path).unwrap();
    let prose: String = text.split("```").step_by(2).collect();
    let spans = prose.split('`').skip(1).step_by(2);
    let words = spans.flat_map(|span| span.split(|char: char| !char.is_ascii_alphanumeric() && char != '_'));
    words.map(str::to_owned).collect()
}

/// The names of all fields of a `value`, at any depth.
fn fields(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(name, value)| [vec![name.clone()], fields(value)].concat())
            .collect(),
        Value::Array(values) => values.iter().flat_map(fields).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_command_is_known_to_this_test() {
    let commands = clusterctl::cli::command();
    let all: BTreeSet<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
    let known = PRINTING.iter().map(|(name, _)| *name);
    assert_eq!(all, known.chain(REFUSING).chain(["logs"]).collect());
}

#[test]
fn commands_print_json_results_on_stdout() {
    let cluster = TestCluster::behind("builtin");
    let print = |name: &str| {
        let (_, args) = PRINTING.iter().find(|(printing, _)| *printing == name).unwrap();
        printed(&cluster, &[&[name], *args].concat())
    };
    assert_eq!(print("stop"), json!({"stopped": false}));
    assert_eq!(print("check")["balancer"], "builtin");
    let exported = print("export");
    assert_eq!(exported["files"][0]["path"], "clusterctl-erlmcp.service");
    let rendered = print("render");
    assert_eq!(rendered["files"][0]["path"], "dataplane.yaml");
    assert!(rendered["files"][0]["content"].is_string());
    assert_eq!(print("profile")["nodes"]["count"], 4);
    assert!(print("doctor").is_array());

    assert_eq!(print("start")["state"], "healthy");
    assert_eq!(print("status")["state"], "healthy");
    assert!(print("health")["alerts"].is_array());
    assert!(print("stats")["rows"].is_array());
    assert_eq!(print("load-test")["held"], 8);
    let drained = print("drain");
    assert_eq!(drained["node"]["name"], "erlmcp2");
    assert_eq!(drained["node"]["state"], "drained");
    assert_eq!(print("ready")["node"]["state"], "up");
    let restarted = print("restart");
    assert_eq!(restarted["nodes"][0]["name"], "erlmcp3");
    assert_eq!(restarted["nodes"].as_array().unwrap().len(), 1);
    let rebalanced = print("rebalance");
    assert_eq!(rebalanced["plan"]["nodes"].as_array().unwrap().len(), 4);
    assert_eq!(rebalanced["ended"], Value::Null);
    assert_eq!(print("reload"), json!({"changed": false}));
    let reloaded = printed(&cluster, &["reload", "--set", "limits.per_ip.connections=7"]);
    assert_eq!(reloaded["changed"], true);
    assert!(reloaded["pid"].is_u64(), "{reloaded}");
    assert!(reloaded["profile"][0].as_str().unwrap().contains("per_ip"));
    assert_eq!(print("scale")["rollout"], false);
    let planned = printed(&cluster, &["scale", "5", "--dry-run"]);
    assert_eq!(planned["added"], json!(["erlmcp5"]));
    let planned = printed(&cluster, &["restart", "--rolling", "--dry-run"]);
    assert_eq!(planned["replaced"].as_array().unwrap().len(), 4);
    let planned = printed(&cluster, &["node", "add", "blue", "--dry-run"]);
    assert_eq!(planned["added"], json!(["blue"]));
    let switched = print("switch");
    assert_eq!(
        (&switched["from"], &switched["to"]),
        (&json!("builtin"), &json!("haproxy"))
    );
    let lines = cluster.ok(&["logs", "supervisor", "--json"]);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["log"] == "supervisor" && line["line"].is_string(), "{line}");
    }
    assert!(lines.lines().count() > 5);
    assert_eq!(print("stop"), json!({"stopped": true}));
}

#[test]
fn commands_without_data_refuse_json() {
    let cluster = TestCluster::behind("builtin");
    for args in [
        &["completions", "bash"][..],
        &["man"],
        &["node", "--name", "a", "--tcp", "127.0.0.1:1"],
        &["dataplane", "--config", "none"],
        &["start", "--foreground"],
    ] {
        let run = cluster.run(&[args, &["--json"]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.contains("does not print JSON"), "{run:?}");
    }
}
