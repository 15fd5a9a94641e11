//! State files that cannot be used: what is wrong is reported, and what runs is adopted or stopped.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{TestCluster, behind_each_balancer, eventually, is_alive, signal};

behind_each_balancer!(
    any_damage_is_reported_and_what_runs_is_adopted,
    a_stop_ends_what_a_damaged_file_named,
);

/// The exit code of a status that is not known.
const UNCLEAR: i32 = 2;

/// A way to damage the file at a path.
type Damage = fn(&Path);

/// Each damage, with what is reported.
const DAMAGES: [(Damage, &str); 8] = [
    (|path| fs::write(path, "").unwrap(), "it is empty"),
    (truncate, "it is truncated after line"),
    (|path| fs::write(path, [0; 4096]).unwrap(), "expected value"),
    (|path| fs::write(path, "[]").unwrap(), "not a usable state file"),
    (
        |path| fs::write(path, "{\"version\": 2}").unwrap(),
        "missing field",
    ),
    (newer, "written by clusterctl 99.1.0; this is clusterctl"),
    (|path| replace_by_directory(path), "it is not a file"),
    (|path| fs::remove_file(path).unwrap(), "is missing"),
];

fn truncate(path: &Path) {
    let text = fs::read(path).unwrap();
    fs::write(path, &text[..text.len() / 2]).unwrap();
}

fn newer(path: &Path) {
    let mut state: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    state["version"] = json!(99);
    state["written_by"] = json!("99.1.0");
    fs::write(path, state.to_string()).unwrap();
}

fn replace_by_directory(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir_all(path.join("deep")).unwrap();
}

fn any_damage_is_reported_and_what_runs_is_adopted(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let state = cluster.run_dir().join("state.json");
    let before = sorted(cluster.processes());
    let mut clients = cluster.clients(8);
    for (damage, words) in DAMAGES {
        cluster.kill_supervisor();
        damage(&state);
        let status = cluster.run(&["status"]);
        assert_eq!(status.code, UNCLEAR, "{words}: {}", status.stdout);
        assert!(status.stdout.contains("state.json"), "{words}: {}", status.stdout);
        let started = cluster.run(&["start"]);
        assert_eq!(started.code, 0, "{words}: {}", started.stderr);
        for part in [
            words,
            "state.json",
            "are adopted: erlmcp1 (pid ",
            "clusterctl drain",
        ] {
            assert!(started.stderr.contains(part), "{part}: {}", started.stderr);
        }
        assert_eq!(sorted(cluster.processes()), before, "{words}");
        for (client, node) in &mut clients {
            assert_eq!(client.node().unwrap(), *node, "{words}");
        }
        assert_eq!(cluster.status()["state"], "healthy", "{words}");
    }
    assert!(cluster.run_dir().join("state.json.broken").join("deep").exists());
    cluster.ok(&["stop"]);
    assert!(before.iter().all(|pid| !is_alive(*pid)));
}

fn a_stop_ends_what_a_damaged_file_named(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let before = cluster.processes();
    cluster.kill_supervisor();
    truncate(&cluster.run_dir().join("state.json"));
    let stopped = cluster.run(&["stop"]);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    for part in ["it is truncated", "erlmcp1 (pid ", "state.json.broken"] {
        assert!(stopped.stderr.contains(part), "{part}: {}", stopped.stderr);
    }
    assert!(before.iter().all(|pid| !is_alive(*pid)));
    assert!(cluster.run_dir().join("state.json.broken").is_file());
    let again = cluster.run(&["stop"]);
    assert!(again.stderr.contains("nothing is running"), "{}", again.stderr);
}

#[test]
fn several_instances_and_retired_ones_are_adopted() {
    let cluster = TestCluster::sharded().started();
    let mut clients = cluster.clients(12);
    cluster.ok(&["--set", "health.rise=4", "reload"]);
    let children = |cluster: &TestCluster| -> Vec<Value> {
        let text = fs::read(cluster.run_dir().join("state.json")).unwrap();
        let state: Value = serde_json::from_slice(&text).unwrap();
        let of = |child: &Value| {
            json!([
                child["name"],
                child["instance"],
                child["retired"],
                child["process"]
            ])
        };
        let mut all: Vec<Value> = state["children"].as_array().unwrap().iter().map(of).collect();
        all.sort_by_key(Value::to_string);
        all
    };
    let before = children(&cluster);
    assert!(before.iter().any(|child| child[2] == true), "{before:?}");
    cluster.kill_supervisor();
    truncate(&cluster.run_dir().join("state.json"));
    cluster.ok(&["--set", "health.rise=4", "start"]);
    assert_eq!(children(&cluster), before);
    for (client, node) in &mut clients {
        assert_eq!(client.node().unwrap(), *node);
    }
}

#[test]
fn processes_of_another_profile_are_not_adopted() {
    let cluster = TestCluster::new().started();
    let before = sorted(cluster.processes());
    cluster.kill_supervisor();
    truncate(&cluster.run_dir().join("state.json"));
    let port = cluster.port(9500).to_string();
    for (args, part) in [
        (
            &["--set", "nodes.count=3", "start"][..],
            "no node of the profile is called `erlmcp4` (pid ",
        ),
        (
            &[
                "--set",
                &format!("nodes.tcp_port={port}"),
                "--set",
                "nodes.http_port=null",
                "start",
            ],
            "`erlmcp1` (pid ",
        ),
        (&["--set", "cluster=other", "start"], "not to `other`"),
        (&["start", "nginx"], "the cluster is running with haproxy"),
    ] {
        let ran = cluster.run(args);
        assert_eq!(ran.code, 1, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: "), "{args:?}: {}", ran.stderr);
    }
    cluster.ok(&["start"]);
    assert_eq!(sorted(cluster.processes()), before);
}

#[test]
fn a_file_without_processes_does_not_prevent_a_start_or_a_stop() {
    let cluster = TestCluster::new();
    fs::create_dir_all(cluster.run_dir()).unwrap();
    let state = cluster.run_dir().join("state.json");
    fs::write(&state, "{").unwrap();
    let status = cluster.run(&["status"]);
    assert!(
        status.stdout.contains("no process of its cluster runs"),
        "{}",
        status.stdout
    );
    let stopped = cluster.run(&["stop"]);
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("nothing is running"),
        "{}",
        stopped.stderr
    );
    assert!(!state.exists());
    fs::write(&state, "{").unwrap();
    let started = cluster.run(&["start", "haproxy"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    assert!(started.stderr.contains("it is truncated"), "{}", started.stderr);
}

#[test]
fn a_running_supervisor_writes_a_damaged_file_again() {
    let cluster = TestCluster::new().started();
    let state = cluster.run_dir().join("state.json");
    let children = || -> Option<Value> {
        let state: Value = serde_json::from_slice(&fs::read(&state).ok()?).ok()?;
        state.get("children").cloned()
    };
    let before = children().unwrap();
    for (damage, words) in DAMAGES {
        if words == "it is not a file" {
            continue;
        }
        damage(&state);
        eventually("the same file", || {
            (children().as_ref() == Some(&before)).then_some(())
        });
    }
    fs::write(&state, "{").unwrap();
    cluster.ok(&["reload"]);
}

#[test]
fn an_order_that_cannot_be_saved_is_in_force_and_warns() {
    const WARNING: &str = "the last orders and changes are not saved";
    let cluster = TestCluster::new().started();
    let is_warned = || cluster.status()["warnings"].to_string().contains(WARNING);
    assert!(!is_warned());
    // The file cannot be written at this place, as on a full disk.
    let unfinished = cluster.run_dir().join("state.json.new");
    fs::create_dir(&unfinished).unwrap();
    for order in ["drain", "ready", "drain"] {
        let ran = cluster.run(&[order, "erlmcp2"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stderr.contains(&format!("warning: {WARNING}")), "{ran:?}");
    }
    assert!(is_warned());
    fs::remove_dir(&unfinished).unwrap();
    eventually("the file to be written", || (!is_warned()).then_some(()));
    let repeated = cluster.run(&["drain", "erlmcp2"]);
    assert!(!repeated.stderr.contains(WARNING), "{repeated:?}");
}

/// Kills all processes of the cluster, as when the host goes down.
fn kill_all(cluster: &TestCluster) {
    cluster.kill_supervisor();
    for pid in cluster.processes() {
        signal(pid, Signal::SIGKILL);
    }
    eventually("their end", || cluster.processes().is_empty().then_some(()));
}

#[test]
fn a_cluster_that_died_as_a_whole_starts_again_as_it_was() {
    let cluster = TestCluster::new().set("nodes.count=3").started();
    cluster.ok(&["drain", "erlmcp3"]);
    kill_all(&cluster);
    let died = cluster.run_without_flags(&["status"]);
    assert_eq!(died.code, 1, "{}", died.stdout);
    assert!(died.stdout.contains("the cluster died"), "{}", died.stdout);
    let started = cluster.run_without_flags(&["start"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    assert!(started.stderr.contains("starts again"), "{}", started.stderr);
    let status = cluster.status();
    let nodes = status["nodes"].as_array().unwrap();
    let found: Vec<_> = nodes.iter().map(|node| &node["state"]).collect();
    assert_eq!(found, ["up", "up", "drained"]);
    assert_eq!(status["balancer"]["kind"], "haproxy");
    assert_eq!(
        status["balancer"]["endpoints"]["tcp"],
        cluster.address(8000).to_string()
    );
    cluster.ok(&["stop"]);
    assert!(!cluster.run(&["status"]).stdout.contains("the cluster died"));
}

#[test]
fn a_rollout_ends_with_a_cluster_that_starts_again_with_another_profile() {
    let cluster = TestCluster::new().started();
    let _clients = cluster.clients(8);
    let mut rollout = cluster
        .beside(&["restart", "--rolling"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    eventually("a rollout", || {
        let state = fs::read(cluster.run_dir().join("state.json")).ok()?;
        let state: Value = serde_json::from_slice(&state).ok()?;
        (!state["rollout"].is_null()).then_some(())
    });
    kill_all(&cluster);
    rollout.wait().unwrap();
    cluster.ok(&["--set", "nodes.count=2", "start"]);
    let status = cluster.status();
    assert_eq!(status["rollout"], Value::Null);
    assert_eq!(status["state"], "healthy");
}

#[test]
fn a_removed_control_socket_is_opened_again() {
    let cluster = TestCluster::new().started();
    let before = sorted(cluster.processes());
    let answers = || (cluster.run(&["status", "--json"]).code != UNCLEAR).then_some(());
    fs::remove_file(cluster.run_dir().join("control.sock")).unwrap();
    eventually("an answer", answers);
    assert_eq!(cluster.status()["state"], "healthy");
    // The directory as a whole.
    fs::remove_dir_all(cluster.run_dir()).unwrap();
    eventually("an answer", answers);
    eventually("the state file", || {
        (sorted(cluster.processes()) == before).then_some(())
    });
    cluster.ok(&["stop"]);
    assert!(!before.into_iter().any(is_alive));
}

fn sorted(mut pids: Vec<u32>) -> Vec<u32> {
    pids.sort_unstable();
    pids
}
