//! The environment and the directory of nodes that run a program: what they get, what they do not
//! inherit, and that values are never shown.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Ran, TestCluster, eventually};

/// A part of every value that must not be shown.
const SECRET: &str = "hunter2";

/// Every node writes down what it got, and becomes a node of ours.
const NODE: &str = r#"
here=$(dirname "$0")
tr '\0' '\n' </proc/$$/environ >"$here/$NAME.environment"
pwd >"$here/$NAME.directory"
ls -l /proc/$$/fd >"$here/$NAME.descriptors"
exec "$BIN" node --name "$NAME" --tcp "127.0.0.1:$TCP_PORT" --http "127.0.0.1:$PORT"
"#;

/// A cluster of one node, with the profile `nodes` in YAML and the file of variables `file`.
fn cluster(nodes: &str, file: &str) -> TestCluster {
    let cluster = TestCluster::behind("builtin").set("nodes.count=1");
    let dir = cluster.dir().to_owned();
    script(&dir.join("node.sh"));
    private(&dir.join("secrets.env"), file);
    fs::create_dir_all(dir.join("work/erlmcp1")).unwrap();
    let profile = format!(
        r#"
nodes:
  runtime: command
  command: [./node.sh]
  environment_file: secrets.env
  environment:
    NAME: "{{name}}"
    TCP_PORT: "{{tcp_port}}"
    PORT: "{{http_port}}"
{nodes}"#
    );
    fs::write(dir.join("mine.yaml"), profile).unwrap();
    cluster.with(&["--profile", &dir.join("mine.yaml").display().to_string()])
}

fn script(path: &Path) {
    let text = format!("#!/bin/sh\nBIN={}\n{NODE}\n", env!("CARGO_BIN_EXE_clusterctl"));
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn noted(cluster: &TestCluster, what: &str) -> String {
    fs::read_to_string(cluster.dir().join(format!("erlmcp1.{what}"))).unwrap()
}

/// Undoes the latest change; no profile may be given for that.
fn undone(cluster: &TestCluster) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clusterctl"));
    command
        .args(["reload", "--undo", "--yes"])
        .env("CLUSTERCTL_RUN_DIR", cluster.run_dir());
    command.output().unwrap().into()
}

fn refused(ran: &Ran, message: &str, hint: &str) {
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains(message), "{message}: {}", ran.stderr);
    assert!(ran.stderr.contains(hint), "{hint}: {}", ran.stderr);
    assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
}

/// Every file below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().flatten();
    let below = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files(&entry.path()),
        Ok(kind) if kind.is_file() => vec![entry.path()],
        _ => Vec::new(),
    });
    below.collect()
}

#[test]
fn a_node_gets_its_variables_and_its_directory() {
    let nodes = "    SPACES: a  b c\n    WORD: \"gr\\\"üße\\\" 🚀\"\n    VERSION: 1.10\n    DEBUG: true\n    \
                 BIG: 123456789012345678901234567890\n    LINES: |\n      one\n      two\n  directory: work/{name}\n";
    let file = "# secrets\nWORD=lost\nKEY = 'a \"b\" $c'\nexport ESCAPED=\"tab\\there\"\nLITERAL={name}\n";
    // Relative to its directory, as its arguments are.
    let cluster = cluster(nodes, file)
        .set("nodes.command=[../../node.sh]")
        .started();
    let environment = noted(&cluster, "environment");
    for line in [
        "NAME=erlmcp1",
        &format!("PORT={}", cluster.port(8081)),
        "SPACES=a  b c",
        "WORD=gr\"üße\" 🚀",
        "VERSION=1.10",
        "DEBUG=true",
        "BIG=123456789012345678901234567890",
        "LINES=one",
        "two",
        "KEY=a \"b\" $c",
        "ESCAPED=tab\there",
        "LITERAL={name}",
        "CLUSTERCTL_CHILD=erlmcp/erlmcp1",
    ] {
        assert!(
            environment.lines().any(|got| got == line),
            "{line}: {environment}"
        );
    }
    let directory = cluster.dir().join("work/erlmcp1").canonicalize().unwrap();
    assert_eq!(
        Path::new(noted(&cluster, "directory").trim())
            .canonicalize()
            .unwrap(),
        directory
    );
}

#[test]
fn nothing_of_the_supervisors_own_is_inherited() {
    let cluster = cluster("", "");
    let kept = cluster.dir().join("kept");
    fs::write(&kept, "").unwrap();
    let start = cluster.beside(&["start", "builtin"]);
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &format!("exec 7<{}; exec \"$0\" \"$@\"", kept.display())])
        .arg(start.get_program())
        .args(start.get_args());
    for (name, value) in start.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let ours = [
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
        "LISTEN_PID",
        "WATCHDOG_USEC",
        "CLUSTERCTL_LOG",
    ];
    for name in ours {
        shell.env(name, "1");
    }
    shell.env("CLUSTERCTL_LOG", "debug").env("OTHER", "inherited");
    let ran = shell.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let environment = noted(&cluster, "environment");
    assert!(environment.contains("\nOTHER=inherited\n"), "{environment}");
    for name in ours.into_iter().chain(["CLUSTERCTL_RUN_DIR"]) {
        assert!(
            !environment.contains(&format!("{name}=")),
            "{name}: {environment}"
        );
    }
    let descriptors = noted(&cluster, "descriptors");
    assert!(
        !descriptors.contains("/kept") && !descriptors.contains("socket:"),
        "{descriptors}"
    );
}

#[test]
fn values_are_never_shown() {
    let nodes = format!("    KEY: {SECRET}-1\n");
    let cluster = cluster(&nodes, &format!("FILED={SECRET}-2\n"))
        .set(&format!("nodes.environment.SET={SECRET}-3"))
        .started();
    assert!(noted(&cluster, "environment").contains("-3"));
    let shown = cluster.ok(&["profile", "show"]);
    assert!(
        shown.contains("KEY: '***'") && shown.contains("SET: '***'"),
        "{shown}"
    );
    for args in [
        &["profile", "show"][..],
        &["profile", "show", "--json"],
        &["status", "--json"],
        &["health", "--json"],
        &["render", "builtin"],
        &["render", "haproxy", "--json"],
        &["check", "--json"],
        &["doctor"],
        &[
            "reload",
            "--yes",
            "--set",
            "nodes.environment.SET=hunter2-4",
            "--json",
        ],
        &["logs", "supervisor"],
    ] {
        let Ran { stdout, stderr, .. } = cluster.run(args);
        assert!(
            !stdout.contains(SECRET) && !stderr.contains(SECRET),
            "{args:?}: {stdout}{stderr}"
        );
    }
    for file in files(&cluster.run_dir()) {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        let text = fs::read(&file).unwrap_or_default();
        let is_shown = text.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        assert!(
            !is_shown || mode & 0o7777 == 0o600,
            "{} has mode {mode:o}",
            file.display()
        );
    }
}

#[test]
fn a_reload_replaces_nodes_whose_variables_have_changed() {
    let held_briefly = "rollout: {hold: 100ms}\n";
    let cluster = cluster(
        &format!("    KEY: hunter2-1\n{held_briefly}"),
        "FILED=hunter2-1\n",
    )
    .started();
    let environment_with = |variable: &str| {
        eventually("a node that was started again", || {
            Some(noted(&cluster, "environment")).filter(|text| text.contains(variable))
        })
    };
    assert!(!cluster.run(&["reload"]).stderr.contains("replaced"));
    private(&cluster.dir().join("secrets.env"), "FILED=hunter2-2\n");
    let ran = cluster.run(&["reload", "--yes"]);
    assert!(
        ran.code == 0
            && ran
                .stderr
                .contains("erlmcp1 is replaced for the variable `FILED`"),
        "{ran:?}"
    );
    environment_with("FILED=hunter2-2");
    let profile = cluster.dir().join("mine.yaml");
    let text = fs::read_to_string(&profile).unwrap();
    fs::write(&profile, text.replace("hunter2-1", "hunter2-2")).unwrap();
    let ran = cluster.run(&["reload", "--yes"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("nodes.environment.KEY: *** -> ***"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains(SECRET), "{ran:?}");
    environment_with("KEY=hunter2-2");
}

#[test]
fn a_deploy_of_variables_alone_is_undone_to_the_former_ones() {
    let cluster = cluster("rollout: {hold: 100ms}\n", "FILED=one\n");
    let dir = cluster.dir().to_owned();
    let node = fs::read_to_string(dir.join("node.sh")).unwrap();
    let node = node.replacen('\n', "\n[ \"$FILED\" = bad ] && exit 3\n", 1);
    fs::write(dir.join("node.sh"), node).unwrap();
    let cluster = cluster.started();
    let file = dir.join("secrets.env");
    let has = |variables: &[&str]| {
        eventually("the variables", || {
            let text = noted(&cluster, "environment");
            let is_there = |variable: &&str| text.lines().any(|line| line == *variable);
            variables.iter().all(is_there).then_some(())
        });
    };
    let is_done = || {
        eventually("the end of the rollout", || {
            cluster.status()["rollout"].is_null().then_some(())
        });
    };
    cluster.ok(&["reload", "--yes", "--set", "nodes.environment.SET=1"]);
    private(&file, "FILED=bad\n");
    let ran = cluster.run(&["reload", "--yes"]);
    assert!(
        ran.code == 1 && ran.stderr.contains("exited with code 3"),
        "{ran:?}"
    );
    is_done();
    has(&["FILED=one", "SET=1"]);
    private(&file, "FILED=two\n");
    cluster.ok(&["reload", "--yes"]);
    has(&["FILED=two", "SET=1"]);
    // The file is not needed for the way back.
    fs::remove_file(&file).unwrap();
    let ran = undone(&cluster);
    assert_eq!(ran.code, 0, "{ran:?}");
    has(&["FILED=one", "SET=1"]);
    refused(&undone(&cluster), "nothing to undo", "");
}

#[test]
fn a_later_change_is_undone_without_the_former_variables() {
    let cluster = cluster("rollout: {hold: 100ms}\n", "FILED=revoked\n").started();
    private(&cluster.dir().join("secrets.env"), "FILED=new\n");
    cluster.ok(&["reload", "--yes"]);
    let pid = cluster.node_pid("erlmcp1");
    cluster.ok(&["reload", "--set", "routing.max_age=1h"]);
    let ran = undone(&cluster);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(cluster.node_pid("erlmcp1"), pid);
    cluster.ok(&["restart", "--rolling", "--yes"]);
    assert!(noted(&cluster, "environment").contains("FILED=new"));
}

#[test]
fn an_environment_that_cannot_be_used_is_refused_with_its_place() {
    let cluster = cluster("", "A=1\n");
    let file = cluster.dir().join("secrets.env");
    let both = |sets: &[&str], message: &str, hint: &str| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        for verb in ["check", "start"] {
            refused(
                &cluster.run(&[&[verb, "builtin"], &sets[..]].concat()),
                message,
                hint,
            );
        }
    };
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    both(
        &[],
        "its mode is 0644",
        &format!("hint: `chmod 600 {}`", file.display()),
    );
    private(&file, "A=1\nhunter2\n");
    both(
        &[],
        &format!("{}:2: the line has no `=`", file.display()),
        "hint: write `KEY=VALUE`",
    );
    private(&file, "");
    both(
        &["nodes.environment_file=missing"],
        "cannot be read: No such file",
        "hint: correct `nodes.environment_file`",
    );
    both(
        &["nodes.directory=missing"],
        "which the profile names as `nodes.directory`, does not exist",
        "hint: `mkdir -p /",
    );
    let command = format!("nodes.directory={}", file.display());
    both(
        &[&command],
        "is not a directory",
        "hint: correct `nodes.directory`",
    );
    both(
        &["nodes.environment={'A=B': hunter2}"],
        "`A=B` cannot name a variable",
        "contains neither `=` nor a NUL",
    );
    both(
        &["nodes.environment={A: \"hunter2\\0\"}"],
        "the value of `A` contains a NUL",
        "from a file",
    );
    both(
        &["nodes.environment={A: {hunter2: 1}}"],
        "expected a text",
        "put it in quotes",
    );
    both(
        &["nodes.environment.A=hunter2{port}"],
        "unknown placeholder in the value of `A`",
        "did you mean `{tcp_port}`",
    );
    both(
        &["nodes.environment={A: hunter2: 1}"],
        "not valid YAML",
        "--set nodes.environment=",
    );
    both(
        &["nodes.environment=hunter2"],
        "`nodes.environment`: a text, expected a map",
        "it is a map, such as `{PORT: \"{http_port}\"}`",
    );
    both(
        &["nodes.environment.A=***"],
        "the value of `A` is `***`, which stands for a hidden one",
        "write the value itself",
    );
    both(
        &["nodes.enviroment.A=hunter2"],
        "unknown key `nodes.enviroment`",
        "did you mean `nodes.environment`?",
    );
    both(
        &[
            "nodes.command=[no-such-program]",
            "nodes.environment.PATH=/nonexistent",
        ],
        "`no-such-program`, which the profile names as `nodes.command`, is not in PATH",
        "its environment in the profile has a `PATH`",
    );
}

#[test]
fn a_program_is_searched_for_in_the_path_of_its_environment() {
    let cluster = cluster("", "").set("nodes.command=[serve]");
    let bin = cluster.dir().join("work/erlmcp1/bin");
    fs::create_dir(&bin).unwrap();
    script(&bin.join("serve"));
    let cluster = cluster
        .set("nodes.directory=work/{name}")
        .set("nodes.environment.PATH=bin:/usr/bin:/bin");
    // Relative paths on the command line begin at the working directory.
    let mut command = cluster.command(&["start", "builtin"]);
    command.current_dir(cluster.dir()).assert().success();
    let noted = fs::read_to_string(bin.join("erlmcp1.environment")).unwrap();
    assert!(noted.contains("PATH=bin:/usr/bin:/bin"), "{noted}");
}

#[test]
fn other_runtimes_have_no_use_for_an_environment() {
    let cluster = TestCluster::behind("builtin");
    for (set, message) in [
        (
            "nodes.environment.A=1",
            "`nodes.environment` is only used by runtime `command`",
        ),
        (
            "nodes.directory=/tmp",
            "`nodes.directory` is only used by runtime `command`",
        ),
        (
            "nodes.environment_file=a",
            "`nodes.environment_file` is only used by runtime `command`",
        ),
    ] {
        refused(
            &cluster.run(&["check", "--set", set]),
            message,
            "set `nodes.runtime: command`",
        );
    }
}
