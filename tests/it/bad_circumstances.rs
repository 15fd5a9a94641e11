//! Bad input and bad conditions: a clear message, the right exit code, no processes or files left
//! behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use nix::sys::signal::Signal;

use crate::harness::{Client, Ran, TestCluster, behind_each_balancer, close, eventually, is_alive, signal};

behind_each_balancer! {
    a_node_that_exits_at_once_is_shown_with_its_last_output,
    a_node_that_never_answers_fails_the_start_at_the_deadline,
    stale_files_do_not_prevent_a_start,
    a_supervisor_in_front_ends_with_its_signal,
    a_node_that_keeps_dying_is_given_up,
}

/// Nothing runs, and `status` reports nothing as running.
fn assert_nothing_left(cluster: &TestCluster) {
    assert!(cluster.processes().is_empty());
    for name in ["state.json", "control.sock", cluster.socket(), "lock"] {
        assert!(!cluster.run_dir().join(name).exists(), "{name} is left");
    }
}

fn assert_fails_with(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "`{part}` is not in:\n{}", ran.stderr);
    }
    assert!(
        ran.stderr.lines().any(|line| line.starts_with("error: ")),
        "{}",
        ran.stderr
    );
}

/// Writes an executable file for one test.
fn script(cluster: &TestCluster, name: &str, text: &str) -> String {
    let path = cluster.dir().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_missing_haproxy_is_reported_with_the_install_command() {
    let cluster = TestCluster::new().set("binaries.haproxy=/nonexistent");
    let refused = cluster.run(&["start", "haproxy"]);
    assert_fails_with(
        &refused,
        1,
        &["/nonexistent", "hint: ", "apt-get install -y haproxy"],
    );
    assert_nothing_left(&cluster);
}

#[test]
fn an_old_haproxy_is_refused_by_its_version() {
    let cluster = TestCluster::new();
    let old = script(
        &cluster,
        "haproxy",
        "#!/bin/sh\necho 'HAProxy version 1.8.30 2021/04/12'\n",
    );
    let refused = cluster.run(&["start", "haproxy", "--set", &format!("binaries.haproxy={old}")]);
    assert_fails_with(&refused, 1, &["1.8.30", "hint: "]);
    assert_nothing_left(&cluster);
}

#[test]
fn haproxys_error_is_shown_when_it_refuses_the_configuration() {
    let cluster = TestCluster::new();
    let templates = cluster.dir().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("haproxy.cfg.tera"), "global\n    maxcon 5\n").unwrap();
    let refused = cluster.run(&["start", "haproxy", "--templates", templates.to_str().unwrap()]);
    assert_fails_with(&refused, 1, &["unknown keyword 'maxcon'"]);
    assert_nothing_left(&cluster);
}

#[test]
fn a_balancer_behind_a_script_that_does_not_become_it_is_refused() {
    for kind in ["haproxy", "nginx"] {
        let cluster = TestCluster::behind(kind);
        // A signal to such a script ends the script alone.
        let path = script(&cluster, kind, &format!("#!/bin/sh\n/usr/sbin/{kind} \"$@\"\n"));
        let cluster = cluster.set(&format!("binaries.{kind}={path}"));
        let refused = cluster.run(&["start", kind, "--timeout", "3s"]);
        assert_fails_with(
            &refused,
            1,
            &[kind, "is answered by pid ", "a script has to `exec` it"],
        );
        assert_nothing_left(&cluster);
    }
}

#[test]
fn a_broken_template_is_named_with_its_line() {
    let cluster = TestCluster::new();
    let templates = cluster.dir().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("haproxy.cfg.tera"), "global\n\n{% if %}\n").unwrap();
    let refused = cluster.run(&["start", "haproxy", "--templates", templates.to_str().unwrap()]);
    assert_fails_with(&refused, 1, &["haproxy.cfg.tera:3"]);
    assert_nothing_left(&cluster);
}

fn a_node_that_exits_at_once_is_shown_with_its_last_output(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    let node = script(
        &cluster,
        "node",
        "#!/bin/sh\necho \"$1: no licence found\"\nexit 3\n",
    );
    let set = format!("nodes.command=[{node}, '{{name}}']");
    let refused = cluster.run(&["start", balancer, "--set", "nodes.runtime=command", "--set", &set]);
    assert_fails_with(&refused, 1, &["exited with code 3", ": no licence found"]);
    assert_nothing_left(&cluster);
}

fn a_node_that_never_answers_fails_the_start_at_the_deadline(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    let args = [
        "--set",
        "nodes.runtime=command",
        "--set",
        "nodes.command=[/bin/sleep, '600']",
    ];
    let refused = cluster.run(&[&["start", balancer, "--timeout", "1s"], &args[..]].concat());
    assert_fails_with(&refused, 1, &["erlmcp1", "did not answer in time"]);
    assert_nothing_left(&cluster);
}

#[test]
fn a_program_that_cannot_be_run_is_reported() {
    let cluster = TestCluster::new();
    let args = [
        "--set",
        "nodes.runtime=command",
        "--set",
        "nodes.command=[/nonexistent/node]",
    ];
    let refused = cluster.run(&[&["start", "haproxy"], &args[..]].concat());
    assert_fails_with(&refused, 1, &["cannot run: `/nonexistent/node`"]);
    assert_nothing_left(&cluster);
}

#[test]
fn an_impossible_run_directory_is_refused() {
    let cluster = TestCluster::new();
    let file = cluster.dir().join("file");
    fs::write(&file, "").unwrap();
    let refused = cluster.run(&[
        "start",
        "haproxy",
        "--run-dir",
        file.join("run").to_str().unwrap(),
    ]);
    assert_fails_with(&refused, 1, &["cannot use run directory", "file/run"]);
    let long = cluster.dir().join("x".repeat(120));
    let refused = cluster.run(&["start", "haproxy", "--run-dir", long.to_str().unwrap()]);
    assert_fails_with(&refused, 1, &["is too long", "hint: "]);
    assert!(!long.exists());
}

fn stale_files_do_not_prevent_a_start(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    fs::create_dir_all(cluster.run_dir()).unwrap();
    close(UnixListener::bind(cluster.run_dir().join("control.sock")).unwrap());
    close(UnixListener::bind(cluster.run_dir().join(cluster.socket())).unwrap());
    fs::write(cluster.run_dir().join("lock"), "").unwrap();
    cluster.start(&[]);
    let state = fs::read_to_string(cluster.run_dir().join("state.json")).unwrap();
    cluster.ok(&["stop"]);
    // The state of a cluster that died with its host: its pids are gone or belong to other
    // processes.
    fs::write(cluster.run_dir().join("state.json"), state).unwrap();
    cluster.start(&[]);
    assert_eq!(cluster.status()["state"], "healthy");
}

#[test]
fn broken_profiles_are_refused_with_file_line_and_column() {
    let cluster = TestCluster::new();
    let path = cluster.dir().join("mine.yaml");
    for (text, parts) in [
        ("nodes: {count: [\n", &["mine.yaml:"][..]),
        ("nodes:\n  cuont: 3\n", &["mine.yaml:2:3", "cuont", "count"]),
        ("nodes:\n  count: 3\n  count: 4\n", &["mine.yaml:3:3", "count"]),
        ("nodes:\n  count: many\n", &["mine.yaml:2:10", "many"]),
        ("nodes:\n  http_port: 8080\n", &["mine.yaml:2:14", "8080"]),
        (
            "health:\n  interval: 3 parsecs\n",
            &["mine.yaml:2:13", "3 parsecs"],
        ),
        (
            "nodes:\n  weight: 300\nhealth:\n  rise: 0\n",
            &["mine.yaml:2:", "mine.yaml:4:"],
        ),
        ("- a\n- b\n", &["mine.yaml:1:1"]),
        ("\u{0}", &["mine.yaml:"]),
    ] {
        fs::write(&path, text).unwrap();
        for command in [&["start", "haproxy"][..], &["check"], &["render"]] {
            let refused = cluster.run(&[command, &["--profile", path.to_str().unwrap()]].concat());
            assert_fails_with(&refused, 1, parts);
        }
    }
    assert_nothing_left(&cluster);
}

#[test]
fn usage_errors_exit_with_2_and_suggest() {
    let cluster = TestCluster::new();
    for (args, part) in [
        (&["start", "haprox"][..], "haproxy"),
        (&["strat"], "start"),
        (&["logs", "erlmcp9"], "erlmcp"),
        (&["start", "--timeout", "soon"], "soon"),
    ] {
        let refused = cluster.run(args);
        assert_eq!(refused.code, 2, "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(part), "{args:?}: {}", refused.stderr);
    }
    assert!(!cluster.run_dir().exists());
}

fn a_supervisor_in_front_ends_with_its_signal(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_clusterctl"));
    command.env("CLUSTERCTL_RUN_DIR", cluster.run_dir());
    let offset = (cluster.port(8000) - 8000).to_string();
    let child = command
        .args(["start", balancer, "--foreground", "--port-offset", &offset])
        .spawn();
    let mut child = child.unwrap();
    eventually("the cluster to serve", || {
        let ran = cluster.run(&["status", "--json"]);
        (ran.code == 0).then_some(())
    });
    assert_eq!(cluster.supervisor_pid(), child.id());
    let pids = cluster.processes();
    signal(child.id(), Signal::SIGTERM);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    assert_nothing_left(&cluster);
}

#[test]
fn a_signal_ends_a_start_in_front_that_still_prepares() {
    let cluster = TestCluster::new();
    let checks = cluster.dir().join("checks");
    let text = format!(
        "#!/bin/sh\ncase \" $* \" in *' -c '*) touch {}; exec sleep 60;; esac\nexec /usr/sbin/haproxy \"$@\"\n",
        checks.display()
    );
    let slow = format!("binaries.haproxy={}", script(&cluster, "haproxy", &text));
    for sent in [Signal::SIGTERM, Signal::SIGINT] {
        let mut start = cluster
            .beside(&["--set", &slow, "start", "haproxy", "--foreground"])
            .spawn()
            .unwrap();
        eventually("the check", || checks.exists().then_some(()));
        signal(start.id(), sent);
        assert_eq!(start.wait().unwrap().code(), Some(0), "{sent}");
        assert_nothing_left(&cluster);
        fs::remove_file(&checks).unwrap();
    }
}

fn a_node_that_keeps_dying_is_given_up(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer)
        .with_short_hold()
        .set("nodes.restart={backoff: 10ms..20ms, give_up_after: 2}")
        .started();
    let mut killed = 0;
    for _ in 0..=2 {
        // A new process: the supervisor may not have noticed yet that the last one has ended.
        let pid = eventually("the node to run", || {
            let node = cluster.node("erlmcp1");
            let pid = (node["state"] == "up").then(|| u32::try_from(node["pid"].as_u64().unwrap()).unwrap());
            pid.filter(|pid| *pid != killed)
        });
        killed = pid;
        signal(pid, Signal::SIGKILL);
        eventually("its end", || (!is_alive(pid)).then_some(()));
    }
    eventually("the supervisor to give up", || {
        (cluster.node("erlmcp1")["state"] == "failed").then_some(())
    });
    let health = cluster.run(&["health"]);
    assert_eq!(health.code, 1);
    assert!(
        health.stdout.contains("erlmcp1") && health.stdout.contains("SIGKILL"),
        "{}",
        health.stdout
    );
    cluster.ok(&["restart", "erlmcp1"]);
    assert_eq!(cluster.node("erlmcp1")["state"], "up");
}

#[test]
fn a_full_disk_under_the_log_does_not_end_a_node() {
    let cluster = TestCluster::new();
    let address = cluster.address(9001);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut node = std::process::Command::new(assert_cmd::cargo::cargo_bin("clusterctl"))
        .args(["node", "--name", "erlmcp1", "--tcp", &address.to_string()])
        .stderr(full)
        .spawn()
        .unwrap();
    let name = eventually("an answer", || {
        Client::connect(std::net::Ipv4Addr::LOCALHOST, address)
            .and_then(|mut client| client.node())
            .ok()
            .or_else(|| node.try_wait().unwrap().map(|ended| ended.to_string()))
    });
    signal(node.id(), nix::sys::signal::Signal::SIGTERM);
    node.wait().unwrap();
    assert_eq!(name, "erlmcp1");
}
