//! `start` of another binary, which takes over a running cluster.

use std::path::PathBuf;
use std::process::Command;

use super::expect_whole;
use crate::checking_clients::Load;
use crate::harness::{TestCluster, behind_each_balancer, copy_program, eventually};

behind_each_balancer! {
    a_start_of_another_binary_takes_the_cluster_over,
}

/// A copy of the program under test, with other content and the same behaviour.
fn copied_program(cluster: &TestCluster) -> PathBuf {
    let path = cluster.dir().join("clusterctl");
    copy_program(env!("CARGO_BIN_EXE_clusterctl").as_ref(), &path);
    let appended = Command::new("sh")
        .args(["-c", "echo other >>\"$0\""])
        .arg(&path)
        .status();
    assert!(appended.unwrap().success());
    path
}

fn executable(pid: u32) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/exe")).unwrap()
}

fn a_start_of_another_binary_takes_the_cluster_over(balancer: &'static str) {
    let mut cluster = TestCluster::switchable(balancer).started();
    cluster.ok(&["drain", "erlmcp1"]);
    let clients = cluster.checked_by(Load::new(100, 100));
    clients.go_on(2);
    let (supervisor, pids) = (cluster.supervisor_pid(), cluster.balancer_pids());

    let other = copied_program(&cluster);
    cluster.use_program(other.clone());
    cluster.start(&[]);
    eventually("the supervisor to be the other program", || {
        (executable(supervisor) == other).then_some(())
    });
    assert_eq!(cluster.supervisor_pid(), supervisor);
    eventually("a healthy cluster", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
    if balancer == "builtin" {
        eventually("the data plane of the other program", || {
            let pid = cluster.balancer_pid();
            (!pids.contains(&pid) && executable(pid) == other).then_some(())
        });
    } else {
        assert_eq!(cluster.balancer_pids(), pids, "another program is not replaced");
    }
    clients.go_on(3);
    assert_eq!(cluster.status()["version"], env!("CARGO_PKG_VERSION"));
    assert!(["draining", "drained"].contains(&cluster.node("erlmcp1")["state"].as_str().unwrap()));

    // The same binary again changes nothing.
    let pids = cluster.balancer_pids();
    cluster.start(&[]);
    assert_eq!(
        (cluster.supervisor_pid(), &cluster.balancer_pids()),
        (supervisor, &pids)
    );
    let report = clients.stop();
    expect_whole(&report);
    assert_eq!(report.served.get("erlmcp1"), None, "{report}");
}
