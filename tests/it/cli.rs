//! The command line: help, usage errors, exit codes.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::assert::Assert;
use tempfile::TempDir;

use crate::harness::copy_program;

/// A command line with a run directory of its own.
#[must_use]
struct Typed {
    run_dir: TempDir,
    args: Vec<String>,
}

fn clusterctl(args: &str) -> Typed {
    Typed {
        run_dir: tempfile::tempdir().unwrap(),
        args: args.split_whitespace().map(str::to_owned).collect(),
    }
}

impl Typed {
    fn log(self, name: &str, content: &str) -> Typed {
        let logs = self.run_dir.path().join("logs");
        std::fs::create_dir_all(&logs).unwrap();
        std::fs::write(logs.join(format!("{name}.log")), content).unwrap();
        self
    }

    fn ends(&self, code: i32) -> Assert {
        assert_cmd::Command::from(self.command()).assert().code(code)
    }

    /// Stdout; the exit code must be `code` and stderr empty.
    fn shows(&self, code: i32) -> String {
        let assert = self.ends(code).stderr("");
        String::from_utf8(assert.get_output().stdout.clone()).unwrap()
    }

    /// Stderr; the exit code must be `code` and stdout empty.
    fn refuses(&self, code: i32) -> String {
        let assert = self.ends(code).stdout("");
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command
            .args(&self.args)
            .env("CLUSTERCTL_RUN_DIR", self.run_dir.path())
            .env_remove("NO_COLOR");
        command
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_clusterctl"))
}

#[test]
fn help_goes_to_stdout_and_shows_every_command() {
    let help = clusterctl("--help").shows(0);
    for verb in [
        "start", "stop", "restart", "status", "health", "stats", "logs", "render", "check", "doctor",
    ] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb}: {help}");
    }
    assert!(
        help.contains("Exit codes:") && !help.contains("supervise "),
        "{help}"
    );
    for verb in ["start", "logs", "profile list"] {
        assert!(clusterctl(&format!("{verb} --help")).shows(0).contains("Usage:"));
    }
}

#[test]
fn usage_errors_exit_with_2_and_a_hint() {
    for (line, error, hint) in [
        (
            "strat",
            "error: unrecognized subcommand `strat`",
            "hint: did you mean `start`?",
        ),
        (
            "status --jsno",
            "error: unexpected argument `--jsno` found",
            "hint: did you mean `--json`?",
        ),
        (
            "start haproxi",
            "error: unknown balancer `haproxi`",
            "hint: did you mean `haproxy`?",
        ),
        (
            "render nginy",
            "error: unknown balancer `nginy`",
            "hint: did you mean `nginx`?",
        ),
        (
            "check bultin",
            "error: unknown balancer `bultin`",
            "hint: did you mean `builtin`?",
        ),
        (
            "status --profile defalt",
            "error: no profile `defalt`",
            "hint: did you mean `default`?",
        ),
    ] {
        // Not from the environment, so that the profile is needed.
        let typed = clusterctl(line);
        let mut command = typed.command();
        command.env_remove("CLUSTERCTL_RUN_DIR");
        let output = assert_cmd::Command::from(command)
            .assert()
            .code(2)
            .stdout("")
            .get_output()
            .clone();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.starts_with(error) && stderr.contains(hint),
            "{line}: {stderr}"
        );
    }
    assert!(clusterctl("").refuses(2).contains("Usage:"));
    assert!(
        clusterctl("health --continuous soon")
            .refuses(2)
            .contains("is not a duration")
    );
}

#[test]
fn a_stopped_cluster_is_down() {
    let status = clusterctl("status --json").shows(1);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["state"], "down");
    assert!(status["balancer"].is_null());
    assert_eq!(status["nodes"], serde_json::json!([]));
    assert_eq!(status["distribution"]["verdict"], "idle");
    let health: serde_json::Value = serde_json::from_str(&clusterctl("health --json").shows(1)).unwrap();
    assert_eq!(health["state"], "down");
    assert_eq!(health["alerts"], serde_json::json!([]));
    assert!(clusterctl("status").shows(1).contains("Load Balancer: STOPPED"));
}

#[test]
fn a_run_dir_needs_no_profile() {
    let status = clusterctl("status --json --profile nowhere.yaml").shows(1);
    assert!(status.contains("\"state\": \"down\""), "{status}");
}

#[test]
fn commands_that_need_a_running_cluster_hint_at_start() {
    for line in ["stats", "restart", "restart erlmcp1"] {
        let stderr = clusterctl(line).refuses(1);
        assert!(
            stderr.starts_with("error: the cluster is not running\nhint: "),
            "{line}: {stderr}"
        );
    }
    assert_eq!(clusterctl("stop").refuses(0), "nothing is running\n");
}

#[test]
fn logs_are_shown_when_nothing_runs() {
    let typed = clusterctl("logs -n 1")
        .log("erlmcp1", "one\ntwo\n")
        .log("haproxy", "three");
    assert_eq!(typed.shows(0), "erlmcp1 | two\nhaproxy | three\n");
    assert_eq!(
        clusterctl("logs erlmcp1").log("erlmcp1", "one\ntwo\n").shows(0),
        "one\ntwo\n"
    );
    let stderr = clusterctl("logs erlmcp5").log("erlmcp4", "").refuses(2);
    assert_eq!(
        stderr,
        "error: unknown log `erlmcp5`\nhint: did you mean `erlmcp4`?\n"
    );
    assert!(clusterctl("logs").refuses(1).starts_with("error: no log at "));
}

#[test]
fn profiles_are_listed_and_shown() {
    assert!(clusterctl("profile list").shows(0).contains("* default"));
    assert_eq!(
        clusterctl("profile show default").shows(0),
        include_str!("../../profiles/default.yaml")
    );
    assert!(
        clusterctl("profile show nowhere")
            .refuses(2)
            .contains("no profile `nowhere`")
    );
}

#[test]
fn completions_and_manual_are_printed() {
    assert!(clusterctl("completions bash").shows(0).contains("_clusterctl()"));
    assert!(clusterctl("man").shows(0).starts_with(".ie"));
}

#[test]
fn doctor_fix_needs_root() {
    let output = as_nobody(&["doctor", "--fix", "--port-offset", "25000"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: `doctor --fix` needs root\nhint: `sudo clusterctl doctor --fix`"),
        "{error}"
    );
}

#[test]
fn doctor_accepts_any_number_of_connections() {
    let asked = |connections: &str| {
        let run_dir = tempfile::tempdir().unwrap();
        let line = [
            "doctor",
            "--json",
            "--port-offset",
            "25000",
            "--connections",
            connections,
        ];
        let output = Command::new(binary())
            .args(line)
            .env("CLUSTERCTL_RUN_DIR", run_dir.path())
            .output()
            .unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["connections"].to_string(), connections);
        (report, output.status.code())
    };
    // Its exit code is that of the ports check, and others may hold the ports.
    let (one, _) = asked("1");
    assert_eq!(one["fits"], true);
    assert_eq!(one["findings"][0]["level"], "ok");
    assert_eq!(one["plan"][0]["ok"], true);
    let (many, code) = asked("10000000");
    assert_eq!((&many["fits"], code), (&false.into(), Some(1)));
    assert_eq!(many["findings"][0]["level"], "fail");
    let lacking = many["plan"].as_array().unwrap().iter();
    let lacking: Vec<_> = lacking
        .filter(|row| row["ok"] == false)
        .map(|row| &row["resource"])
        .collect();
    assert!(
        lacking.iter().any(|resource| *resource == "connections per node"),
        "{lacking:?}"
    );
    assert!(
        clusterctl("doctor --connections 0")
            .refuses(2)
            .contains("--connections")
    );
}

/// Runs the binary as the unprivileged user `nobody`.
fn as_nobody(args: &[&str]) -> std::process::Output {
    if !nix::unistd::geteuid().is_root() {
        return Command::new(binary()).args(args).output().unwrap();
    }
    // A copy, because that user cannot read all directories.
    let dir = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let copy = dir.path().join("clusterctl");
    copy_program(binary(), &copy);
    Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(copy)
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_closed_output_pipe_is_not_an_error() {
    let typed = clusterctl("completions zsh");
    let mut child = typed
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let typed = clusterctl("profile show");
    let ended = typed
        .command()
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(stderr.starts_with("error: cannot write the output: "), "{stderr}");
}
