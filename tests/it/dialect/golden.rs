//! Whole answers, byte for byte as HAProxy 2.6.12 gave them, except for what HAProxy has and this
//! data plane does not.

use std::sync::Arc;

use clusterctl::haproxy_api::server::Level;
use serde_json::Value;

use super::fake::Fake;
use super::talk::Talker;

/// Fields of `show info` that belong to another program, or that count requests for pages, tasks
/// and memory pools.
const OTHER_FIGURES: [&str; 8] = [
    "Version",
    "Release_date",
    "Build info",
    "CumReq",
    "ConnRateLimit",
    "Tasks",
    "PoolAlloc_bytes",
    "PoolUsed_bytes",
];
/// A field of `show stat` that counts connections of checks.
const OTHER_COLUMN: &str = "need_conn_est";

macro_rules! golden {
    ($file:literal) => {
        include_str!(concat!("../../golden/haproxy-2.6.12/", $file))
    };
}

fn ask(command: &str) -> String {
    Talker::about(Arc::new(Fake::golden()), Level::Admin).ask(command)
}

#[test]
fn show_info() {
    let (ours, theirs) = (ask("show info"), golden!("show_info.txt"));
    assert_eq!(ours.lines().count(), theirs.lines().count());
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        let name = |line: &str| line.split(": ").next().unwrap().to_owned();
        if OTHER_FIGURES.contains(&name(theirs).as_str()) {
            assert_eq!(name(ours), name(theirs));
        } else {
            assert_eq!(ours, theirs);
        }
    }
    assert!(ours.ends_with("\n\n"));
}

#[test]
fn show_info_typed_and_json() {
    let kind = |line: &str| line.rsplit_once(':').map(|(kind, _)| kind.to_owned());
    let (ours, theirs) = (ask("show info typed"), golden!("show_info_typed.txt"));
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(kind(ours), kind(theirs));
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());

    let shape = |text: &str| {
        let mut fields: Vec<Value> = serde_json::from_str(text).unwrap();
        for field in &mut fields {
            field["value"] = Value::Null;
        }
        fields
    };
    assert_eq!(shape(&ask("show info json")), shape(golden!("show_info.json")));
}

#[test]
fn show_stat() {
    let (ours, theirs) = (ask("show stat"), golden!("show_stat.csv"));
    let names: Vec<&str> = theirs.lines().next().unwrap().split(',').collect();
    assert_eq!(ours.lines().next(), theirs.lines().next());
    // HAProxy makes its statistics page a proxy of its own; here it is not one.
    let theirs: Vec<&str> = theirs
        .lines()
        .skip(1)
        .filter(|row| !row.starts_with("stats,"))
        .collect();
    let ours: Vec<&str> = ours.lines().skip(1).collect();
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        for ((name, ours), theirs) in names.iter().zip(ours.split(',')).zip(theirs.split(',')) {
            assert!(ours == theirs || *name == OTHER_COLUMN, "{name}: {ours} {theirs}");
        }
    }
}

#[test]
fn show_stat_typed_and_json() {
    let tcp = |line: &&str| line.starts_with("S.5.") || line.starts_with("B.5.");
    let ours = ask("show stat typed");
    let ours: Vec<&str> = ours.lines().filter(tcp).collect();
    let theirs: Vec<&str> = golden!("show_stat_typed.txt").lines().filter(tcp).collect();
    assert_eq!(ours, theirs);

    let rows: Vec<Vec<Value>> = serde_json::from_str(&ask("show stat json")).unwrap();
    assert_eq!(rows.len(), 7);
    let typed = |field: &Value| {
        format!(
            "{}.{}.{}.{}.{}.{}:{}:{}",
            &field["objType"].as_str().unwrap()[..1],
            field["proxyId"],
            field["id"],
            field["field"]["pos"],
            field["field"]["name"].as_str().unwrap(),
            field["processNum"],
            field["value"]["type"].as_str().unwrap(),
            field["value"]["value"].to_string().trim_matches('"'),
        )
    };
    let json: Vec<String> = rows
        .concat()
        .iter()
        .map(typed)
        .filter(|line| tcp(&line.as_str()))
        .collect();
    let typed = theirs.iter().map(|line| {
        let parts: Vec<&str> = line.splitn(3, ':').collect();
        format!("{}:{}", parts[0], parts[2])
    });
    assert_eq!(json, typed.collect::<Vec<_>>());
}

#[test]
fn show_servers_state() {
    assert_eq!(ask("show servers state"), golden!("show_servers_state.txt"));
}
