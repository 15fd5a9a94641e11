//! Descendants of children end with them, in whichever group or session they are. A port held by
//! another process does not make that process a descendant.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use crate::harness::{
    INHERITED_RUN_DIR, TestCluster, behind_each_balancer, close, eventually, is_alive, signal,
};

behind_each_balancer! {
    a_descendant_in_its_own_session_ends_with_its_node,
    descendants_left_by_a_killed_supervisor_end_too,
}

/// A node that serves, for scripts.
const NODE: &str = "$BIN node --name $1 --tcp 127.0.0.1:$2 --http 127.0.0.1:$3";
/// A process that ignores SIGTERM.
const DEAF: &str = "sh -c 'trap \"\" TERM; while :; do sleep 1; done'";

/// A cluster of two nodes that run `script`.
fn scripted(balancer: &'static str, script: &str) -> TestCluster {
    TestCluster::behind(balancer)
        .scripted(script)
        .set("nodes.count=2")
}

/// The cluster's processes that carry a child's mark, the balancer's included.
fn marked(cluster: &TestCluster, child: &str) -> Vec<u32> {
    let run_dir = format!("{INHERITED_RUN_DIR}={}", cluster.run_dir().display());
    let mark = format!("CLUSTERCTL_CHILD=erlmcp/{child}");
    processes()
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let has = |wanted: &str| {
                environment
                    .split(|byte| *byte == 0)
                    .any(|it| it == wanted.as_bytes())
            };
            has(&run_dir) && has(&mark)
        })
        .collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn nothing_is_left(cluster: &TestCluster) {
    for child in ["erlmcp1", "erlmcp2", "builtin", "haproxy"] {
        assert!(marked(cluster, child).is_empty(), "{child}");
    }
}

fn a_descendant_in_its_own_session_ends_with_its_node(balancer: &'static str) {
    let cluster = scripted(balancer, &format!("setsid {NODE} & wait")).started();
    let before = marked(&cluster, "erlmcp1");
    let other = marked(&cluster, "erlmcp2");
    assert_eq!(before.len(), 2);
    cluster.ok(&["restart", "erlmcp1"]);
    assert!(before.iter().all(|pid| !is_alive(*pid)));
    assert!(other.iter().any(|pid| is_alive(*pid)));
    // The whole cluster is reloaded while a descendant holds the ports.
    cluster.ok(&["reload", "--set", "health.interval=2s"]);
    cluster.ok(&[
        "drain",
        "erlmcp1",
        "--stop",
        "--wait",
        "--deadline",
        "30s",
        "--close",
    ]);
    eventually("the end of a stopped node's descendants", || {
        marked(&cluster, "erlmcp1").is_empty().then_some(())
    });
    cluster.ok(&["stop"]);
    nothing_is_left(&cluster);
}

fn descendants_left_by_a_killed_supervisor_end_too(balancer: &'static str) {
    let cluster = scripted(balancer, &format!("(setsid {NODE} &) ; exec sleep 600")).started();
    cluster.kill_supervisor();
    let first = marked(&cluster, "erlmcp1");
    // The wrapper of `erlmcp2` dies like the supervisor, and its server goes on serving.
    signal(cluster_pid(&cluster, "erlmcp2"), Signal::SIGKILL);
    cluster.start(&[]);
    assert_eq!(marked(&cluster, "erlmcp1"), first);
    eventually("the cluster to be well", || {
        (cluster.status()["state"] == "healthy").then_some(())
    });
    cluster.ok(&["restart", "erlmcp1"]);
    assert!(first.iter().all(|pid| !is_alive(*pid)));
    cluster.kill_supervisor();
    cluster.ok(&["stop"]);
    nothing_is_left(&cluster);
}

/// The pid of a child after its supervisor has died.
fn cluster_pid(cluster: &TestCluster, name: &str) -> u32 {
    let text = fs::read_to_string(cluster.run_dir().join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let children = state["children"].as_array().unwrap();
    let child = children.iter().find(|child| child["name"] == name).unwrap();
    u32::try_from(child["process"]["pid"].as_u64().unwrap()).unwrap()
}

#[test]
fn a_descendant_that_ignores_sigterm_is_killed() {
    // Only the first time, so that the cluster itself ends quickly.
    let once = format!("mkdir \"$0-$1\" 2>/dev/null && setsid {DEAF} &");
    let cluster = scripted("builtin", &format!("setsid {NODE} &\n{once}\nwait")).started();
    let before = marked(&cluster, "erlmcp1");
    assert!(before.len() >= 3, "{before:?}");
    cluster.ok(&["restart", "erlmcp1"]);
    assert!(before.iter().all(|pid| !is_alive(*pid)));
    cluster.kill_supervisor();
    cluster.ok(&["stop"]);
    nothing_is_left(&cluster);
}

#[test]
fn descendants_end_although_supervisor_and_children_were_killed() {
    let cluster = scripted("builtin", &format!("setsid {NODE} & wait")).started();
    cluster.kill_supervisor();
    for child in ["erlmcp1", "erlmcp2", "builtin"] {
        signal(cluster_pid(&cluster, child), Signal::SIGKILL);
    }
    eventually("their servers alone", || {
        (marked(&cluster, "erlmcp1").len() == 1).then_some(())
    });
    cluster.ok(&["stop"]);
    nothing_is_left(&cluster);
}

#[test]
fn a_program_that_leaves_the_foreground_fails_and_leaves_nothing() {
    let cluster = scripted("builtin", &format!("setsid {NODE} &"));
    let refused = cluster.run(&["start", "builtin"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("exited with code 0"),
        "{}",
        refused.stderr
    );
    nothing_is_left(&cluster);
}

#[test]
fn a_node_that_is_given_up_leaves_nothing() {
    let cluster = scripted("builtin", &format!("setsid {NODE} & setsid {DEAF} & wait"))
        .set("nodes.restart={backoff: 10ms..20ms, give_up_after: 1}")
        .started();
    let mut killed = 0;
    for _ in 0..2 {
        killed = eventually("the node to run", || {
            let node = cluster.node("erlmcp1");
            let runs = node["state"] == "up" || node["state"] == "held-back";
            let pid = runs.then(|| u32::try_from(node["pid"].as_u64().unwrap()).unwrap());
            pid.filter(|pid| *pid != killed)
        });
        signal(killed, Signal::SIGKILL);
    }
    eventually("the supervisor to give up", || {
        (cluster.node("erlmcp1")["state"] == "failed").then_some(())
    });
    eventually("the end of its descendants", || {
        marked(&cluster, "erlmcp1").is_empty().then_some(())
    });
}

#[test]
fn a_cluster_of_the_same_name_is_left_alone() {
    let script = format!("setsid {NODE} & wait");
    let (one, other) = (
        scripted("builtin", &script).started(),
        scripted("builtin", &script).started(),
    );
    let others = marked(&other, "erlmcp1");
    one.ok(&["stop"]);
    nothing_is_left(&one);
    assert_eq!(marked(&other, "erlmcp1"), others);
    assert_eq!(other.status()["state"], "healthy");
}

#[test]
fn a_clusterctl_command_started_by_a_node_survives_its_restart() {
    let follow = "setsid $BIN --run-dir \"$TEST_RUN_DIR\" logs supervisor -f >\"${0%/*}/followed-$1\" 2>&1 &";
    let cluster = scripted("builtin", &format!("{follow} setsid {NODE} & wait")).started();
    let pid = eventually("a command that follows the log", || followers(&cluster).next());
    cluster.ok(&["restart", "erlmcp1"]);
    assert!(is_alive(pid));
    signal(pid, Signal::SIGKILL);
    cluster.ok(&["stop"]);
    while let Some(pid) = followers(&cluster).next() {
        signal(pid, Signal::SIGKILL);
        eventually("its end", || (!is_alive(pid)).then_some(()));
    }
}

/// The commands that nodes of the cluster have started, and their children.
fn followers(cluster: &TestCluster) -> impl Iterator<Item = u32> {
    let run_dir = cluster.run_dir().display().to_string();
    processes().filter(move |pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let text = String::from_utf8_lossy(&environment);
        text.contains("CLUSTERCTL_APART=erlmcp/") && text.contains(&run_dir) && is_alive(*pid)
    })
}

#[test]
fn an_epmd_serves_all_nodes_and_ends_with_the_cluster() {
    let cluster = scripted(
        "builtin",
        &format!("export ERL_EPMD_PORT=$(cat \"${{0%/*}}/epmd-port\")\nepmd -daemon\n{NODE} & wait"),
    );
    fs::write(cluster.dir().join("epmd-port"), cluster.port(9100).to_string()).unwrap();
    let cluster = cluster.started();
    let epmds = || -> Vec<u32> {
        let mut all = marked(&cluster, "erlmcp1");
        all.extend(marked(&cluster, "erlmcp2"));
        all.retain(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "epmd\n"));
        all
    };
    let before = epmds();
    assert_eq!(before.len(), 1);
    cluster.ok(&["restart", "erlmcp1"]);
    cluster.ok(&["restart", "erlmcp2"]);
    assert_eq!(epmds(), before);
    cluster.ok(&["stop"]);
    nothing_is_left(&cluster);
}

#[test]
fn a_node_whose_port_is_taken_waits_and_names_the_holder() {
    let cluster = TestCluster::behind("builtin")
        .set("nodes.restart={backoff: 1s..1s, give_up_after: 100}")
        .started();
    let address = cluster.address(9001);
    let pid = cluster.node_pid("erlmcp1");
    cluster.ok(&["drain", "erlmcp1", "--stop", "--wait"]);
    assert!(!is_alive(pid));
    let held = TcpListener::bind(address).unwrap();
    let refused = cluster.run(&["ready", "erlmcp1"]);
    let expected = format!("{address} is taken by");
    let holder = format!("(pid {})", std::process::id());
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains(&expected) && refused.stderr.contains(&holder),
        "{}",
        refused.stderr
    );
    close(held);
    cluster.ok(&["restart", "erlmcp1"]);
    // A node that dies finds the port taken as well, and serves when it is free.
    let pid = cluster.node_pid("erlmcp1");
    signal(pid, Signal::SIGSTOP);
    signal(pid, Signal::SIGKILL);
    let held = eventually("the port", || TcpListener::bind(address).ok());
    let reason = eventually("the holder to be named", || {
        let reason = cluster.node("erlmcp1")["reason"].as_str()?.to_owned();
        reason.contains(&expected).then_some(reason)
    });
    assert!(reason.contains(&holder), "{reason}");
    let health = cluster.run(&["health"]);
    assert_eq!(health.code, 1);
    assert!(health.stdout.contains(&expected), "{}", health.stdout);
    close(held);
    eventually("the node to be back", || {
        (cluster.node("erlmcp1")["state"] == "up").then_some(())
    });
}

#[test]
fn a_foreign_process_on_a_node_port_is_not_taken_for_the_node() {
    let cluster = scripted("builtin", "exec sleep 600").set("nodes.http_port=18081");
    let addresses = [9001, 9002].map(|port| cluster.address(port));
    let mut starting = cluster.beside(&["start", "builtin"]).spawn().unwrap();
    eventually("both nodes to run", || {
        (marked(&cluster, "erlmcp1").len() + marked(&cluster, "erlmcp2").len() == 2).then_some(())
    });
    // This process is older than the nodes, and answers any line. Other tests need the ports
    // afterwards.
    let is_over = Arc::new(AtomicBool::new(false));
    let mut answering = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).unwrap();
        let is_over = Arc::clone(&is_over);
        let accepting = std::thread::spawn(move || {
            let streams = listener.incoming().map_while(Result::ok);
            for stream in streams.take_while(|_| !is_over.load(Ordering::SeqCst)) {
                std::thread::spawn(move || answer_lines(stream));
            }
        });
        answering.push((address, accepting));
    }
    for port in [18081, 18082] {
        let address = cluster.address(port);
        let listener = TcpListener::bind(address).unwrap();
        let is_over = Arc::clone(&is_over);
        let accepting = std::thread::spawn(move || {
            let streams = listener.incoming().map_while(Result::ok);
            for mut stream in streams.take_while(|_| !is_over.load(Ordering::SeqCst)) {
                let _gone =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        answering.push((address, accepting));
    }
    let ended = eventually("the start to fail", || starting.try_wait().unwrap());
    let stderr = std::io::read_to_string(starting.stderr.take().unwrap()).unwrap();
    assert_eq!(ended.code(), Some(1), "{stderr}");
    let holder = format!("(pid {}), which was there before", std::process::id());
    assert!(
        stderr.contains("is held by") && stderr.contains(&holder),
        "{stderr}"
    );
    is_over.store(true, Ordering::SeqCst);
    for (address, accepting) in answering {
        drop(std::net::TcpStream::connect(address));
        accepting.join().unwrap();
    }
    nothing_is_left(&cluster);
}

fn answer_lines(stream: std::net::TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
        if writeln!(reader.get_mut(), r#"{{"jsonrpc":"2.0","id":1,"result":{{}}}}"#).is_err() {
            return;
        }
        line.clear();
    }
}

#[test]
fn as_pid_1_the_supervisor_reaps_orphans() {
    // Each start leaves a process whose parent has ended: an orphan.
    let cluster = scripted("builtin", &format!("(sleep 0.1 &) ; setsid {NODE} & wait"));
    let inner = cluster.beside(&["start", "builtin", "--foreground"]);
    let mut namespace = std::process::Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        namespace.arg("--map-root-user");
    }
    namespace
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env("CLUSTERCTL_RUN_DIR", cluster.run_dir())
        .env(INHERITED_RUN_DIR, cluster.run_dir())
        .process_group(0);
    let mut namespace = namespace.spawn().unwrap();
    eventually("the cluster to serve", || {
        (cluster.run(&["status"]).code == 0).then_some(())
    });
    for _ in 0..3 {
        // Refused while the start is not known to be done.
        eventually("a restart", || {
            (cluster.run(&["restart", "erlmcp1"]).code == 0).then_some(())
        });
    }
    let supervisor = cluster.supervisor_pid();
    eventually("no zombie", || {
        let zombies = processes().filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
            fields.starts_with(&format!("Z {supervisor} "))
        });
        (zombies.count() == 0).then_some(())
    });
    cluster.ok(&["stop"]);
    assert!(namespace.wait().unwrap().success());
    nothing_is_left(&cluster);
}
