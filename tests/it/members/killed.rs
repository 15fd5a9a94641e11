//! A supervisor that is killed during a rollout: the next one goes on with it, and so does the
//! command that follows it.

use std::fs;

use crate::harness::{TestCluster, behind_each_balancer, eventually};

behind_each_balancer! {
    a_drain_goes_on_under_the_next_supervisor,
}

impl TestCluster {
    /// Nodes of a shell that runs `first` and becomes the embedded node.
    fn running(self, first: &str) -> TestCluster {
        let run = format!("{first}; exec $0 node --name $1 --tcp 127.0.0.1:$2 --http 127.0.0.1:$3");
        let program = env!("CARGO_BIN_EXE_clusterctl");
        self.set("nodes.runtime=command").set(&format!(
            "nodes.command=[sh, -c, '{run}', {program}, '{{name}}', '{{tcp_port}}', '{{http_port}}']"
        ))
    }

    /// Kills the supervisor when the rollout of this command `is` doing that, and starts the next one;
    /// `then` is done before the end of the command is waited for.
    fn kill_supervisor_during(&self, command: &[&str], is: &str, then: impl FnOnce()) {
        let following = self.beside(command).spawn().unwrap();
        eventually(is, || {
            let status = self.status();
            let doing = status["rollout"]["doing"].as_str()?;
            doing.contains(is).then_some(())
        });
        self.kill_supervisor();
        let started = self.run_without_flags(&["start"]);
        assert_eq!(started.code, 0, "{}", started.stderr);
        then();
        let output = following.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn a_drain_goes_on_under_the_next_supervisor(balancer: &'static str) {
    let cluster = TestCluster::behind(balancer).set("nodes.count=2").started();
    let names = ["erlmcp1", "erlmcp2"];
    let before = cluster.await_nodes(&names);
    let held = cluster.clients(20);
    cluster.kill_supervisor_during(&["restart", "--rolling"], "is being drained", || drop(held));
    let after = cluster.await_nodes(&names);
    assert!(
        after.iter().all(|pid| !before.contains(pid)),
        "{before:?} {after:?}"
    );
}

#[test]
fn a_new_node_is_waited_for_by_the_next_supervisor() {
    let cluster = slow_to_start().started();
    cluster.kill_supervisor_during(&["scale", "3"], "is being started", || ());
    cluster.await_nodes(&["erlmcp1", "erlmcp2", "erlmcp3"]);
}

#[test]
fn nodes_that_are_not_replaced_yet_are_replaced_by_the_next_supervisor() {
    let cluster = slow_to_start().started();
    let names = ["erlmcp1", "erlmcp2"];
    let before = cluster.await_nodes(&names);
    let change = ["reload", "--yes", "--set", "nodes.environment={VERSION: '2'}"];
    cluster.kill_supervisor_during(&change, "is being judged", || ());
    let after = cluster.await_nodes(&names);
    assert!(
        after.iter().all(|pid| !before.contains(pid)),
        "{before:?} {after:?}"
    );
}

#[test]
fn a_stopped_addition_goes_on_with_the_next_reload() {
    let cluster = TestCluster::behind("builtin").set("nodes.count=2");
    let broken = cluster.dir().join("broken");
    let cluster = cluster
        .running(&format!("test ! -e {} || exit 3", broken.display()))
        .started();
    fs::write(&broken, "").unwrap();
    let failed = cluster.run_without_flags(&["scale", "3"]);
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    assert!(failed.stderr.contains("exited with code 3"), "{}", failed.stderr);
    assert!(cluster.status()["rollout"]["stopped"].is_string());
    fs::remove_file(&broken).unwrap();
    let reloaded = cluster.run_without_flags(&["reload"]);
    assert_eq!(reloaded.code, 0, "{}", reloaded.stderr);
    cluster.await_nodes(&["erlmcp1", "erlmcp2", "erlmcp3"]);
}

// Private

/// Two nodes that answer some seconds after their start.
fn slow_to_start() -> TestCluster {
    let cluster = TestCluster::behind("builtin").set("nodes.count=2");
    cluster.set("rollout.hold=4s").running("sleep 2")
}
