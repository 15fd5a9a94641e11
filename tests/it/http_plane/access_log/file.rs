//! Where lines are written: none is lost, whatever becomes of the file.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use super::{Logged, ending, waits_for_lines};
use crate::harness::eventually;
use crate::http_plane::node::Node;
use crate::http_plane::with_length;

#[test]
fn nothing_is_lost_at_the_end() {
    let node = Node::serving(|_, connection| {
        while let Some((head, _)) = connection.request() {
            if head.contains("/mcp/hangs") {
                connection.waits_for_release();
            }
            connection.send(with_length(200, ""));
        }
    });
    let mut logged = Logged::start(&[&node], |_| {});
    let mut hanging = logged.client();
    hanging.send("GET /mcp/hangs HTTP/1.1\r\nHost: a\r\n\r\n");
    node.waits_for_bytes(0);
    let mut client = logged.client();
    for _ in 0..100 {
        client.get();
    }
    logged.plane.signal(Signal::SIGTERM);
    assert!(logged.plane.ends().success());
    let lines = logged.lines(101);
    let hung = lines.iter().find(|line| line["path"] == "/mcp/hangs").unwrap();
    assert_eq!(ending(hung), (0, "shutdown", "KH"));
}

#[test]
fn nothing_is_lost_by_a_drain() {
    let node = Node::answering(with_length(200, ""));
    let mut logged = Logged::start(&[&node], |_| {});
    let mut client = logged.client();
    client.get();
    logged.plane.signal(Signal::SIGUSR1);
    logged.plane.waits_for_log("no connection is accepted any more");
    client.get();
    drop(client);
    assert!(logged.plane.ends().success());
    logged.lines(2);
}

#[test]
fn a_renamed_or_truncated_file_loses_nothing() {
    let node = Node::answering(with_length(200, ""));
    let logged = Logged::start(&[&node], |_| {});
    let (path, former) = (logged.path("access.json"), logged.path("access.json.1"));
    let mut client = logged.client();
    client.get();
    logged.lines(1);
    // Copy and truncate.
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    client.get();
    assert!(
        fs::read(&path)
            .unwrap()
            .first()
            .is_none_or(|first| *first == b'{')
    );
    logged.lines(1);
    // Rename, with a signal.
    fs::rename(&path, &former).unwrap();
    logged.plane.reload();
    client.get();
    logged.lines(1);
    waits_for_lines(&former, 1);
    // Rename, without one.
    fs::rename(&path, &former).unwrap();
    let mut sent = 0;
    eventually("the file is there again", || {
        client.get();
        sent += 1;
        path.exists().then_some(())
    });
    eventually("all lines are in one of the files", || {
        let count = |path: &Path| fs::read_to_string(path).unwrap_or_default().lines().count();
        (count(&former) + count(&path) == 1 + sent).then_some(())
    });
}

#[test]
fn a_reload_switches_the_log_on_and_off() {
    let node = Node::answering(with_length(200, ""));
    let mut logged = Logged::start(&[&node], |config| config.http.access_log = None);
    let mut client = logged.client();
    client.get();
    assert!(!logged.path("access.json").exists());
    let path = logged.path("access.json");
    logged
        .plane
        .configure(|config| config.http.access_log = Some(path));
    logged.plane.reload();
    client.get();
    logged.lines(1);
    // A path that cannot be opened changes nothing.
    let missing = logged.path("missing/access.json");
    logged
        .plane
        .configure(|config| config.http.access_log = Some(missing.clone()));
    let answer = logged.plane.ask("reload");
    let error = format!("cannot open the access log `{}`", missing.display());
    assert!(answer.contains(&error), "{answer}");
    client.get();
    logged.lines(2);
    logged.plane.configure(|config| config.http.access_log = None);
    logged.plane.reload();
    client.get();
    let other = logged.path("other.json");
    logged
        .plane
        .configure(|config| config.http.access_log = Some(other.clone()));
    logged.plane.reload();
    client.get();
    waits_for_lines(&other, 1);
    logged.lines(2);
}

#[test]
fn a_path_that_cannot_be_opened_is_an_error_at_the_start() {
    let node = Node::answering(with_length(200, ""));
    let mut logged = Logged::start(&[&node], |_| {});
    logged.plane.signal(Signal::SIGTERM);
    assert!(logged.plane.ends().success());
    for (name, reason) in [
        ("missing/access.json", "No such file or directory"),
        ("pipe", "it is a named pipe that no process reads"),
    ] {
        let path = logged.path(name);
        if name == "pipe" {
            mkfifo(&path, Mode::S_IRWXU).unwrap();
        }
        logged
            .plane
            .configure(|config| config.http.access_log = Some(path.clone()));
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_clusterctl"))
            .args(["dataplane", "--config"])
            .arg(logged.plane.file("dataplane.yaml"))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let error = format!("cannot open the access log `{}`: {reason}", path.display());
        assert!(!output.status.success() && stderr.contains(&error), "{stderr}");
    }
}

#[test]
fn a_stuck_reader_holds_nothing_up_and_lost_lines_are_counted() {
    let node = Node::answering(with_length(200, ""));
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
    let mut logged = Logged::start(&[&node], |config| {
        config.http.access_log = Some(pipe);
    });
    let mut client = logged.client();
    // Each line has a kilobyte, a pipe 64 of them, and a worker two megabytes.
    let path = "x".repeat(1_000);
    let request = format!("GET /mcp/{path} HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in 0..60 {
        client.send(request.repeat(100));
        for _ in 0..100 {
            assert_eq!(client.answer().status, 200);
        }
    }
    logged.plane.waits_for_log("lines of the access log are dropped");
    let info = logged.plane.ask("show info");
    assert!(!info.contains("DroppedLogs: 0\n"), "{info}");
    // Another file takes the lines that come from now on.
    let path = logged.path("access.json");
    logged
        .plane
        .configure(|config| config.http.access_log = Some(path.clone()));
    logged.plane.reload();
    client.get();
    drop(client);
    logged.plane.signal(Signal::SIGUSR1);
    eventually("a line says how many were dropped", || {
        fs::read_to_string(&path)
            .ok()
            .filter(|text| text.contains("\"dropped\""))
    });
    assert!(logged.plane.ends().success());
    let text = fs::read_to_string(&path).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (mut logged_lines, mut lost) = (0, 0);
    for line in lines {
        match line["dropped"].as_u64() {
            Some(dropped) => lost += dropped,
            None => logged_lines += 1,
        }
    }
    let mut piped = vec![0; 1 << 20];
    let read = reader.read(&mut piped).unwrap();
    let piped = piped[..read].split(|byte| *byte == b'\n').count() as u64 - 1;
    assert_eq!(piped + logged_lines + lost, 6_001);
    assert!(lost > 0 && logged_lines > 0);
}
