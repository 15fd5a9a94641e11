//! The access log: a line of JSON for each request, when it is over.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clusterctl::dataplane_config::Dataplane;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::node::Node;
use super::{Raw, plane_with, with_length};
use crate::harness::eventually;
use crate::plane::{Plane, free_address};

const UPGRADE: &str = "GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// The data plane with an access log, and the directory of the log.
struct Logged {
    plane: Plane,
    dir: TempDir,
}

impl Logged {
    fn start(nodes: &[&Node], change: impl FnOnce(&mut Dataplane)) -> Logged {
        let dir = tempfile::tempdir().unwrap();
        let plane = plane_with(nodes, |config| {
            // Lines of several workers have no order.
            config.workers = 1;
            config.http.access_log = Some(dir.path().join("access.json"));
            change(config);
        });
        Logged { plane, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn client(&self) -> Raw {
        Raw::connect(&self.plane)
    }

    /// The lines of the log, once there are this many.
    fn lines(&self, count: usize) -> Vec<Value> {
        waits_for_lines(&self.path("access.json"), count)
    }

    /// The only line of the log.
    fn line(&self) -> Value {
        self.lines(1).remove(0)
    }
}

fn waits_for_lines(path: &Path, count: usize) -> Vec<Value> {
    let lines = eventually(&format!("{} has {count} lines", path.display()), || {
        let text = fs::read_to_string(path).unwrap_or_default();
        (text.lines().count() >= count).then_some(text)
    });
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), count, "{lines:?}");
    lines
}

/// How a request ended: its status, word and letters.
fn ending(line: &Value) -> (u64, &str, &str) {
    (
        line["status"].as_u64().unwrap_or(0),
        line["end"].as_str().unwrap(),
        line["state"].as_str().unwrap(),
    )
}

#[test]
fn a_request_is_a_line() {
    let node = Node::answering(with_length(200, "hello"));
    let logged = Logged::start(&[&node], |config| {
        let http = config.backends[0].http.as_mut().unwrap();
        (http.follows_sessions, http.names_sessions) = (true, true);
    });
    let mut client = logged.client();
    let request = "POST /mcp/a?token=secret HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\
                   MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: secret~node1\r\nCookie: a=secret\r\n\
                   Authorization: Bearer secret\r\nMcp-Method: resources/read\r\n\
                   Mcp-Name: file:///x?token=secret\r\nX-Request-ID: r1\r\n\r\nhi";
    client.send(request);
    let answer = client.answer();
    client.get();
    let lines = logged.lines(2);
    let line = &lines[0];
    let expected = json!({
        "frontend": "clients",
        "method": "POST",
        "path": "/mcp/a",
        "mcp_method": "resources/read",
        "mcp_name": "file:///x",
        "mcp_version": "2025-11-25",
        "request_id": "r1",
        "backend": "nodes",
        "session_node": "node1",
        "node": "node1",
        "reused": false,
        "retries": 0,
        "status": 200,
        "bytes_in": request.len(),
        "bytes_out": answer.head.len() + answer.body.len(),
        "end": "finished",
        "state": "--",
    });
    for (field, expected) in expected.as_object().unwrap() {
        assert_eq!(line[field], *expected, "{field}: {line}");
    }
    let from = client.0.local_addr().unwrap().ip().to_string();
    assert_eq!(line["client"], from);
    let time = line["time"].as_str().unwrap();
    assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
    let times = ["TR", "Tw", "Tc", "Tr", "Ta"].map(|field| line[field].as_u64().unwrap());
    assert!(times[..4].iter().sum::<u64>() <= times[4], "{line}");
    let second = &lines[1];
    assert_eq!((&second["reused"], &second["Tc"]), (&true.into(), &0.into()));
    for field in ["mcp_method", "mcp_name", "mcp_version", "session_node"] {
        assert_eq!(second[field], Value::Null, "{second}");
    }
    // The id that the node got.
    let made = second["request_id"].as_str().unwrap();
    assert!(
        node.received().contains(&format!("X-Request-ID: {made}\r\n")),
        "{second}"
    );
    assert!(
        !fs::read_to_string(logged.path("access.json"))
            .unwrap()
            .contains("secret")
    );
    let permissions = fs::metadata(logged.path("access.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(permissions & 0o777 & !0o640, 0);
}

#[test]
fn hostile_texts_stay_in_their_fields() {
    let node = Node::answering(with_length(200, ""));
    let logged = Logged::start(&[&node], |_| {});
    let mut client = logged.client();
    client.send(
        b"GET /mcp/\"},{\"status\":1 HTTP/1.1\r\nHost: a\r\nMcp-Name: \"\\\t\xc3\xa9\r\n\
          Mcp-Method: {}}\\n\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    let long = "x".repeat(5_000);
    client.send(format!(
        "GET /mcp/{long} HTTP/1.1\r\nHost: a\r\nMcp-Name: {long}\r\nMcp-Method: {long}\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 200);
    let lines = logged.lines(2);
    assert_eq!(lines[0]["path"], "/mcp/\"},{\"status\":1");
    assert_eq!(lines[0]["mcp_name"], "\"\\\té");
    assert_eq!(lines[0]["mcp_method"], "{}}\\n");
    assert_eq!(lines[0]["status"], 200);
    for (field, limit) in [("path", 1024), ("mcp_name", 256), ("mcp_method", 256)] {
        let text = lines[1][field].as_str().unwrap();
        assert!(text.ends_with("x…"), "{text}");
        assert_eq!(text.chars().count(), limit + 1, "{field}");
    }
}

#[test]
fn own_answers_are_logged() {
    let node = Node::answering(with_length(200, ""));
    let logged = Logged::start(&[&node], |config| {
        config.http.body = Some("10".parse().unwrap());
        config.frontends[0].limits.message_rate = 1;
    });
    let plane = &logged.plane;
    let ask = |request: &str| {
        let mut client = Raw::connect(plane);
        client.send(request);
        client.answer()
    };
    let too_large = "POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n";
    let answer = ask("GET /mcp\r\n\r\n");
    assert_eq!(answer.status, 400);
    assert_eq!(ask(too_large).status, 413);
    assert_eq!(ask("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").status, 404);
    assert_eq!(ask("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n").status, 429);
    let lines = logged.lines(4);
    let endings: Vec<_> = lines.iter().map(ending).collect();
    let rejected = |status| (status, "rejected", "PR");
    assert_eq!(endings, [400, 413, 404, 429].map(rejected));
    for line in &lines {
        for field in ["backend", "node", "reused", "Tw", "Tc", "Tr", "request_id"] {
            assert_eq!(line[field], Value::Null, "{field}: {line}");
        }
        assert!(line["Ta"].is_u64() && line["client"].is_string(), "{line}");
    }
    assert_eq!((&lines[0]["path"], &lines[0]["TR"]), (&Value::Null, &Value::Null));
    assert_eq!(lines[0]["bytes_out"], answer.head.len() + answer.body.len());
    assert_eq!(lines[2]["path"], "/other");
}

#[test]
fn times_that_run_out_are_logged() {
    let silent = Node::serving(|_, connection| connection.drain());
    let logged = Logged::start(&[&silent], |config| {
        config.timeouts.http_request = "300ms".parse().unwrap();
        config.timeouts.server = "300ms".parse().unwrap();
        config.timeouts.client = "300ms".parse().unwrap();
    });
    let mut slow = logged.client();
    slow.send("GET /mcp");
    assert_eq!(slow.answer().status, 408);
    let mut unanswered = logged.client();
    unanswered.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(unanswered.answer().status, 504);
    let mut sending = logged.client();
    sending.send("POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhi");
    assert_eq!(sending.answer().status, 408);
    let lines = logged.lines(3);
    let endings: Vec<_> = lines.iter().map(ending).collect();
    assert_eq!(
        endings,
        [
            (408, "timeout", "cR"),
            (504, "timeout", "sH"),
            (408, "timeout", "cD")
        ]
    );
    assert!(lines[0]["Ta"].as_u64().unwrap() >= 299, "{lines:?}");
    assert_eq!(
        (&lines[1]["Tr"], &lines[1]["node"]),
        (&Value::Null, &"node1".into())
    );
}

#[test]
fn failures_of_nodes_are_logged() {
    let node = Node::serving(|number, connection| {
        connection.request();
        if number > 0 {
            connection.send("HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nhalf");
        }
    });
    let logged = Logged::start(&[&node], |_| {});
    assert_eq!(logged.client().get().status, 502);
    let mut half = logged.client();
    half.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    half.rest();
    logged.lines(2);
    logged.plane.order("set server nodes/node1 state maint");
    assert_eq!(logged.client().get().status, 503);
    let lines = logged.lines(3);
    let endings: Vec<_> = lines.iter().map(ending).collect();
    assert_eq!(
        endings,
        [
            (502, "server", "SH"),
            (200, "server", "SD"),
            (503, "no_server", "SC")
        ]
    );
    assert_eq!(
        (&lines[2]["node"], &lines[2]["backend"]),
        (&Value::Null, &"nodes".into())
    );
}

#[test]
fn other_nodes_that_were_tried_are_retries() {
    let node = Node::answering(with_length(200, ""));
    let mut gone = Node::answering("");
    gone.address = free_address();
    let logged = Logged::start(&[&gone, &node], |_| {});
    for _ in 0..2 {
        assert_eq!(logged.client().get().status, 200);
    }
    let lines = logged.lines(2);
    let mut retries: Vec<u64> = lines.iter().filter_map(|line| line["retries"].as_u64()).collect();
    retries.sort_unstable();
    assert_eq!(retries, [0, 1], "{lines:?}");
    assert!(lines.iter().all(|line| line["node"] == "node2"), "{lines:?}");
}

#[test]
fn clients_that_leave_are_logged() {
    let node = Node::serving(|_, connection| {
        connection.request();
        connection.waits_for_release();
        connection.send("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        connection.drain();
    });
    let logged = Logged::start(&[&node], |config| config.backends[0].servers[0].maxconn = 1);
    let mut first = logged.client();
    first.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    node.waits_for_bytes(0);
    let mut waiting = logged.client();
    waiting.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    logged.plane.waits_for("BACKEND", "qcur", 1);
    drop(waiting);
    logged.lines(1);
    drop(first);
    let mut stream = logged.client();
    logged.lines(2);
    stream.send("GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n");
    node.waits_for_bytes(1);
    // One of them wakes the first connection, which has ended.
    node.releases_one();
    node.releases_one();
    stream.head();
    drop(stream);
    let lines = logged.lines(3);
    let endings: Vec<_> = lines.iter().map(ending).collect();
    assert_eq!(
        endings,
        [(0, "client", "CQ"), (0, "client", "CH"), (200, "client", "CD")]
    );
    assert!(lines[0]["Tw"].is_u64() && lines[0]["Tc"].is_null(), "{lines:?}");
    assert_eq!(lines[1]["status"], Value::Null);
}

#[test]
fn a_web_socket_is_logged_when_it_ends() {
    let node = Node::serving(|_, connection| {
        connection.head();
        connection.send(format!("{SWITCHED}hello"));
        assert_eq!(connection.exactly(9).unwrap(), b"earlylate");
        connection.send("bye");
    });
    let logged = Logged::start(&[&node], |_| {});
    let mut client = logged.client();
    client.send(format!("{UPGRADE}early"));
    let head = client.head();
    assert_eq!(client.exactly(5), "hello");
    assert_eq!(fs::read_to_string(logged.path("access.json")).unwrap(), "");
    client.send("late");
    assert_eq!(client.exactly(3), "bye");
    client.rest();
    let line = logged.line();
    assert_eq!(ending(&line), (101, "finished", "--"));
    assert_eq!(line["bytes_in"], UPGRADE.len() + 9, "{line}");
    assert_eq!(line["bytes_out"], head.len() + 8, "{line}");
}

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
