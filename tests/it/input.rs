//! User input: profiles, paths, programs and values, valid and invalid.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::TestCluster;

/// A working directory that contains the run directory.
struct Desk(TempDir);

impl Desk {
    fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, content: &[u8]) -> &Desk {
        fs::write(self.path().join(name), content).unwrap();
        self
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_in(self.path().join("run").as_os_str(), args)
    }

    fn run_in(&self, run_dir: &OsStr, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_clusterctl"))
            .args(args)
            .current_dir(self.path())
            .env("CLUSTERCTL_RUN_DIR", run_dir)
            .output()
            .unwrap()
    }

    /// Stderr of a command that must be refused.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{args:?}: {text}");
        text
    }

    fn accepted(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {text}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn a_byte_order_mark_is_ignored_and_moves_nothing() {
    let desk = Desk::new();
    desk.file("p.yaml", b"\xef\xbb\xbfcluster: mine\r\nnodes: {count: 2}\r\n");
    let shown = desk.accepted(&["profile", "show", "p.yaml"]);
    assert!(
        shown.contains("cluster: mine") && shown.contains("count: 2"),
        "{shown}"
    );
    desk.file("p.yaml", b"\xef\xbb\xbfclustre: mine\r\nnodes:\r\n  conut: 3\r\n");
    let refused = desk.refused(&["check", "--profile", "p.yaml"]);
    assert!(
        refused.contains("p.yaml:1:1\n") && refused.contains("p.yaml:3:3\n"),
        "{refused}"
    );
    assert!(refused.contains("1 | clustre: mine\n"), "{refused}");
    desk.file("p.yaml", b"\xef\xbb\xbf");
    let refused = desk.refused(&["check", "--profile", "p.yaml"]);
    assert!(refused.starts_with("error: the profile is empty\n"), "{refused}");
}

#[test]
fn a_profile_in_another_encoding_is_named() {
    let desk = Desk::new();
    desk.file("p.yaml", b"\xff\xfec\0l\0");
    assert_eq!(
        desk.refused(&["check", "--profile", "p.yaml"]),
        "error: profile `p.yaml` is UTF-16, not UTF-8\nhint: `iconv -f UTF-16 -t UTF-8 p.yaml > utf-8.yaml`\n"
    );
    let refused = desk.refused(&["check", "--profile", "."]);
    assert!(
        refused.starts_with("error: profile `.` is a directory, not a file\n"),
        "{refused}"
    );
}

#[test]
fn a_profile_can_be_read_from_a_pipe() {
    let desk = Desk::new();
    let output = Command::new("bash")
        .args([
            "-c",
            "exec \"$0\" check --profile <(echo '{cluster: piped, listen: {tcp: 40000}}')",
        ])
        .arg(env!("CARGO_BIN_EXE_clusterctl"))
        .env("CLUSTERCTL_RUN_DIR", desk.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // The warnings are coloured, but not on an output without colours.
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(warned.contains("\n         fix: "), "{warned}");
}

#[test]
fn counts_have_suffixes_everywhere() {
    let desk = Desk::new();
    let shown = desk.accepted(&[
        "profile",
        "show",
        "--set",
        "limits.maxconn=90k",
        "--set",
        "nodes.target='9k'",
    ]);
    assert!(
        shown.contains("maxconn: 90000") && shown.contains("target: 9000"),
        "{shown}"
    );
    let refused = desk.refused(&["check", "--set", "limits.maxconn=1.5k"]);
    assert!(
        refused.contains("`limits.maxconn`: `1.5k` is not a count such as"),
        "{refused}"
    );
    assert!(
        refused.ends_with("hint: it is 1 to 10000000; the default is `100000`\n"),
        "{refused}"
    );
    for args in [
        ["load-test", "1.5k", "1"],
        ["load-test", "-5", "1"],
        ["doctor", "--connections", "99999999999k"],
    ] {
        let refused = desk.refused(&args);
        assert!(refused.contains("is not"), "{refused}");
    }
    let doctor = desk.run(&["doctor", "--connections", "1k"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("1000"), "{doctor}");
}

/// Every command that would run or render something refuses such a directory, behind every
/// balancer, and does not create it.
#[test]
fn a_run_directory_that_no_configuration_can_name_is_refused() {
    let desk = Desk::new();
    for (name, what) in [
        (&b"a$b"[..], "`$`"),
        (b"a,b", "`,`"),
        (b"a;b", "`;`"),
        (b"a\tb", "a tab"),
        (b"a\nb", "a line feed"),
        (b"a\xffb", "a byte that is not UTF-8"),
    ] {
        let path = desk.path().join(OsStr::from_bytes(name));
        for args in [
            ["start", "builtin"],
            ["check", "haproxy"],
            ["render", "nginx"],
            ["doctor", "builtin"],
        ] {
            let output = desk.run_in(path.as_os_str(), &args);
            let refused = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                !output.status.success() && refused.contains(&format!("has {what} in its path: ")),
                "{refused}"
            );
            assert!(
                refused.ends_with("hint: choose another one with `--run-dir DIR`\n"),
                "{refused}"
            );
            assert!(!path.exists());
        }
    }
}

#[test]
fn a_template_can_have_a_byte_order_mark() {
    let desk = Desk::new();
    let template = include_str!("../../templates/haproxy.cfg.tera");
    fs::create_dir(desk.path().join("templates")).unwrap();
    desk.file(
        "templates/haproxy.cfg.tera",
        format!("\u{feff}{template}").as_bytes(),
    );
    desk.accepted(&["check", "haproxy", "--templates", "templates"]);
}

#[test]
fn a_run_directory_can_have_every_other_character() {
    let desk = Desk::new();
    let path = desk.path().join("a b\"c'd\\e#f%[g]{h}*?é:@~");
    for balancer in ["haproxy", "nginx"] {
        let output = desk.run_in(path.as_os_str(), &["check", balancer]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_program_that_cannot_run_is_named_before_anything_starts() {
    let desk = Desk::new();
    desk.file("node.py", b"#!/usr/bin/env python3\n");
    desk.file("crlf.sh", b"#!/bin/sh\r\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(desk.path().join("crlf.sh"), executable).unwrap();
    for (command, why) in [
        ("[./nope]", "does not exist"),
        ("[./node.py]", "is not executable"),
        ("[/usr]", "is a directory"),
        ("[no-such-program]", "is not in PATH"),
        (
            "[./crlf.sh]",
            "is a script for `/bin/sh\\r`, which does not exist",
        ),
    ] {
        let command = format!("nodes.command={command}");
        for verb in ["check", "start"] {
            let refused = desk.refused(&[verb, "--set", "nodes.runtime=command", "--set", &command]);
            let first = refused.lines().next().unwrap();
            assert!(
                first.starts_with("error: erlmcp1 cannot run: `") && first.ends_with(why),
                "{refused}"
            );
            assert!(refused.contains("\nhint: "), "{refused}");
        }
    }
    for (path, why) in [("./node.py", "is not executable"), ("/usr", "is a directory")] {
        let set = format!("binaries.haproxy={path}");
        let refused = desk.refused(&["check", "haproxy", "--set", &set]);
        assert!(refused.lines().next().unwrap().ends_with(why), "{refused}");
    }
}

#[test]
fn a_long_value_is_not_repeated() {
    let desk = Desk::new();
    // The kernel limits an argument to 128 kB.
    let long = "x".repeat(100_000);
    let set = format!("cluster=[{long}]");
    let key = format!("{long}=1");
    for args in [
        vec![long.as_str()],
        vec!["start", &long],
        vec!["start", "--only", &long],
        vec!["check", "--set", &set],
        vec!["check", "--set", &key],
        vec!["check", "--profile", &long],
        vec!["check", "--run-dir", &long],
        vec!["check", "haproxy", "--templates", &long],
        vec!["load-test", &long],
        vec!["load-test", "1", "1", "--target", &long],
        vec!["load-test", "1", "1", "--report", &long],
        vec!["logs", &long],
        vec!["erlang", &long, "memory"],
        vec!["profile", "show", &long],
        vec!["dataplane", "--config", &long],
        vec!["node", "--name", "a", "--tcp", &long],
    ] {
        let refused = desk.refused(&args);
        assert!(refused.len() < 3_000, "{}: {} bytes", args[0], refused.len());
        assert!(refused.starts_with("error: "), "{}: {refused}", args[0]);
    }
    let refused = desk.refused(&["check", "--profile", "a\x1b[2J"]);
    assert!(refused.contains(r"`a\u{1b}[2J`"), "{refused}");
    desk.file(
        "p.yaml",
        format!("cluster: {long}\nnodes: {{count: \"{long}\"}}\n").as_bytes(),
    );
    let refused = desk.refused(&["check", "--profile", "p.yaml"]);
    assert!(refused.len() < 3_000, "{refused}");
}

#[test]
fn logs_offers_the_names_of_the_cluster_that_runs() {
    let cluster = TestCluster::new().set("nodes.name=worker{n}").started();
    // Later commands need only the run directory.
    let refused = |name: &str| {
        let output = Desk::new().run_in(cluster.run_dir().as_os_str(), &["logs", name]);
        String::from_utf8(output.stderr).unwrap()
    };
    let near = refused("worker9");
    assert!(
        near.contains("unknown log `worker9`") && near.contains("did you mean `worker"),
        "{near}"
    );
    let other = refused("zzz");
    assert!(
        other.contains("`worker1`") && !other.contains("erlmcp1"),
        "{other}"
    );
    cluster.ok(&["stop", "--grace", "0s"]);
    let stopped = refused("zzz");
    assert!(
        stopped.contains("`worker1`") && !stopped.contains("erlmcp1"),
        "{stopped}"
    );
}

#[test]
fn a_target_is_an_address_or_a_url() {
    let cluster = TestCluster::behind("haproxy").started();
    let tcp = format!("tcp://{}", cluster.address(8000));
    let http = format!("http://{}/mcp", cluster.address(8080));
    let ws = format!("ws://{}", cluster.address(8001));
    for target in [&tcp, &http, &ws] {
        let report = cluster.ok(&[
            "load-test",
            "4",
            "1",
            "--messages-per-second",
            "20",
            "--target",
            target,
        ]);
        assert!(report.contains("Total Connections: 4 / 4"), "{target}: {report}");
    }
    let elsewhere = format!("http://{}/nope", cluster.address(8080));
    let refused = cluster
        .run(&["load-test", "4", "1", "--target", &elsewhere])
        .stderr;
    assert!(refused.contains("at `/nope`: HTTP status 404"), "{refused}");
    assert!(
        refused.ends_with("hint: set the path: `--target http://HOST:PORT/PATH`\n"),
        "{refused}"
    );
}
