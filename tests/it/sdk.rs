//! The official MCP SDKs, through the balancer: they connect, call tools, get notifications, and
//! start a new session when their node is drained.
//!
//! Each SDK is installed once, below Cargo's directory for test files, in the versions that
//! `tests/sdk` names. Nothing is written elsewhere, package managers' caches included.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::harness::{TestCluster, behind_each_balancer};

behind_each_balancer! {
    python_clients_stay_on_one_node_over_every_transport,
    typescript_clients_stay_on_one_node_over_every_transport,
    python_clients_without_sessions_do_not_notice_a_drain,
    python_clients_of_a_drained_node_start_a_new_session_on_another,
    typescript_clients_of_a_drained_node_start_a_new_session_on_another,
    a_websocket_stays_with_its_drained_node,
}

fn python_clients_stay_on_one_node_over_every_transport(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    for (transport, port, path) in [
        ("http", 8080, "/mcp"),
        ("sse", 8080, "/mcp/sse"),
        ("sse", 8002, "/mcp/sse"),
    ] {
        talk(&mut Client::python(transport, &url("http", &cluster, port, path)));
    }
}

fn python_clients_without_sessions_do_not_notice_a_drain(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut client = Client::python("stateless", &url("http", &cluster, 8080, "/mcp"));
    talk(&mut client);
    let before = client.conversation()["node"].clone();
    cluster.ok(&["drain", before.as_str().unwrap()]);
    let after = client.conversation();
    assert_eq!(after["new_session"], false, "{after}");
    assert_ne!(after["node"], before, "{after}");
}

fn typescript_clients_stay_on_one_node_over_every_transport(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    for (transport, scheme, port, path) in [
        ("http", "http", 8080, "/mcp"),
        ("sse", "http", 8080, "/mcp/sse"),
        ("sse", "http", 8002, "/mcp/sse"),
        ("websocket", "ws", 8080, "/mcp/ws"),
        ("websocket", "ws", 8001, "/mcp/ws"),
    ] {
        talk(&mut Client::typescript(
            transport,
            &url(scheme, &cluster, port, path),
        ));
    }
}

fn python_clients_of_a_drained_node_start_a_new_session_on_another(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    survive_a_drain(
        &cluster,
        &mut Client::python("http", &url("http", &cluster, 8080, "/mcp")),
    );
}

fn typescript_clients_of_a_drained_node_start_a_new_session_on_another(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    survive_a_drain(
        &cluster,
        &mut Client::typescript("http", &url("http", &cluster, 8080, "/mcp")),
    );
}

fn a_websocket_stays_with_its_drained_node(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).started();
    let mut client = Client::typescript("websocket", &url("ws", &cluster, 8001, "/mcp/ws"));
    let node = client.conversation()["node"].clone();
    cluster.ok(&["drain", node.as_str().unwrap()]);
    let after = client.conversation();
    assert_eq!(
        (&after["new_session"], &after["node"]),
        (&Value::Bool(false), &node),
        "{after}"
    );
}

// Private

fn url(scheme: &str, cluster: &TestCluster, port: u16, path: &str) -> String {
    format!("{scheme}://{}{path}", cluster.address(port))
}

/// Two conversations in one session.
fn talk(client: &mut Client) {
    let first = client.conversation();
    let tools = first["tools"].as_array().unwrap();
    for tool in ["echo", "sleep", "notify", "whoami"] {
        assert!(tools.iter().any(|known| known == tool), "no {tool}: {first}");
    }
    assert!(first["notice"].to_string().contains("hear, hear"), "{first}");
    let second = client.conversation();
    assert_eq!(
        (&second["new_session"], &second["node"]),
        (&Value::Bool(false), &first["node"])
    );
}

/// One session, its node drained, and another session; then the first node is made ready, and no
/// client moves.
fn survive_a_drain(cluster: &TestCluster, client: &mut Client) {
    let before = client.conversation();
    let node = before["node"].as_str().unwrap();
    cluster.ok(&["drain", node]);
    let after = client.conversation();
    assert_eq!(after["new_session"], true, "{after}");
    assert_ne!(after["node"], node, "{after}");
    cluster.ok(&["ready", node]);
    let again = client.conversation();
    assert_eq!(
        (&again["new_session"], &again["node"]),
        (&Value::Bool(false), &after["node"]),
        "{again}"
    );
}

/// A program that holds a conversation through an SDK for each line of its input.
struct Client {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Client {
    fn python(transport: &str, url: &str) -> Client {
        let python = python();
        Client::run(Command::new(python).args([
            &scripts().join("client.py").display().to_string(),
            transport,
            url,
        ]))
    }

    fn typescript(transport: &str, url: &str) -> Client {
        let script = typescript();
        Client::run(Command::new("node").args([&script.display().to_string(), transport, url]))
    }

    fn run(command: &mut Command) -> Client {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let answers = BufReader::new(process.stdout.take().unwrap());
        Client { process, answers }
    }

    fn conversation(&mut self) -> Value {
        writeln!(self.process.stdin.as_mut().unwrap()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: `{answer}`; see above"))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ended_or_not = self.process.kill();
        let _status = self.process.wait();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// The Python interpreter that has the SDK.
fn python() -> PathBuf {
    let home = installed("python", &["requirements.txt"], |home| {
        must(
            Command::new("python3").args(["-m", "venv"]).arg(home),
            "python3-venv",
        );
        let requirements = home.join("requirements.txt");
        fs::copy(scripts().join("requirements.txt"), &requirements).unwrap();
        let pip = home.join("bin/pip");
        must(
            Command::new(pip)
                .args(["install", "--quiet", "--no-cache-dir", "-r"])
                .arg(requirements),
            "python3-venv",
        );
    });
    home.join("bin/python")
}

/// The script, copied beside the SDK: modules are resolved from the script's directory.
fn typescript() -> PathBuf {
    let home = installed("typescript", &["package.json", "client.mjs"], |home| {
        for file in ["package.json", "client.mjs"] {
            fs::copy(scripts().join(file), home.join(file)).unwrap();
        }
        let install = [
            "install",
            "--silent",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--cache=cache",
        ];
        must(
            Command::new("npm").args(install).current_dir(home),
            "nodejs and npm",
        );
    });
    home.join("client.mjs")
}

/// The directory in which an SDK is installed; installed again when one of `files` has changed.
/// Tests may be separate processes, and only one of them installs.
fn installed(name: &str, files: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk").join(name);
    fs::create_dir_all(&home).unwrap();
    let lock = File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let wanted: String = files
        .iter()
        .map(|file| fs::read_to_string(scripts().join(file)).unwrap())
        .collect();
    let done = home.join("installed");
    if fs::read_to_string(&done).ok().as_ref() != Some(&wanted) {
        install(&home);
        fs::write(done, wanted).unwrap();
    }
    home
}

fn must(command: &mut Command, package: &str) {
    match command.status() {
        Ok(status) => assert!(
            status.success(),
            "{command:?} failed; see above. It needs {package}."
        ),
        Err(error) => panic!("{command:?}: {error}. Is {package} installed? `tests/run` does it."),
    }
}
