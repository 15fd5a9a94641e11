//! Nodes come, go and are replaced while clients that check it are served.

mod failing_versions;
mod host_names;
mod killed;
mod nodes_of_others;
mod rolling;
mod serving;

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::checking_clients::{CheckingClients, FaultKind, Load, Report, Targets};
use crate::harness::{TestCluster, eventually};

impl TestCluster {
    /// A cluster of two nodes with this version of a server: `good`, or one of those that fail.
    fn of_versions(balancer: &'static str) -> TestCluster {
        TestCluster::behind(balancer)
            .set("limits.maxconn=9500")
            .set("limits.per_ip.connection_rate=0")
            .set("nodes.count=2")
            .set("nodes.runtime=command")
            .set(&format!(
                "nodes.environment={{BIN: {}, SLOW_SECONDS: '0.5'}}",
                env!("CARGO_BIN_EXE_clusterctl")
            ))
            .set(&version("good"))
    }

    /// Clients that check this cluster.
    fn with_checking_clients(&self) -> CheckingClients {
        let clients = CheckingClients::start(Targets::of(self.port(0)), Load::new(100, 100));
        clients.go_on(1);
        clients
    }

    /// Waits until exactly these nodes serve, and nothing is in progress. Returns their pids.
    fn await_nodes(&self, names: &[&str]) -> Vec<u64> {
        eventually("the nodes of the target", || {
            let status = self.status();
            let nodes = status["nodes"].as_array()?;
            let serving: Vec<&str> = nodes
                .iter()
                .filter(|node| node["state"] == "up")
                .filter_map(|node| node["name"].as_str())
                .collect();
            let done = status["rollout"].is_null() && serving == names && nodes.len() == names.len();
            done.then(|| nodes.iter().filter_map(|node| node["pid"].as_u64()).collect())
        })
    }
}

/// A node that a test starts, and no cluster; it is killed when this is dropped.
struct Node(Child);

impl Node {
    fn start(name: &str, addresses: &[&str]) -> Node {
        let child = Command::new(env!("CARGO_BIN_EXE_clusterctl"))
            .args(["node", "--name", name, "--workers", "1"])
            .args(addresses)
            .stderr(Stdio::null())
            .spawn();
        Node(child.unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The value of the profile that makes all nodes behave so.
fn version(behaviour: &str) -> String {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/members/server.py");
    format!("nodes.command=[python3, {server}, {behaviour}, '{{name}}', '{{tcp_port}}', '{{http_port}}']")
}

/// Checks that no connection was refused, and no answer was lost, crossed or wrong. Clients of nodes
/// that end are cut at the deadline, and lose the sessions that those nodes had.
fn expect_answered(report: &Report) {
    for kind in [
        FaultKind::Refused,
        FaultKind::TimedOut,
        FaultKind::WrongAnswer,
        FaultKind::Own,
    ] {
        assert_eq!(report.count(kind), 0, "{kind:?}: {report}");
    }
}

/// The command line of a process.
fn command_line(pid: &Value) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}
