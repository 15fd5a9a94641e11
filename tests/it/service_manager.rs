//! What a service manager sees of `start --foreground`, and what `export` prints for it and for containers.

use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{TIMEOUT, TestCluster, eventually, signal};

/// A service manager that waits for notifications.
struct Manager {
    socket: UnixDatagram,
    received: Vec<String>,
}

impl Manager {
    /// Starts the cluster in the foreground.
    fn start(cluster: &TestCluster, args: &[&str]) -> (Manager, Child) {
        let path = cluster.dir().join("notify.sock");
        let _none_yet = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut command = cluster.beside(&[&["start", "--foreground"], args].concat());
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "3000000");
        command.stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        let received = Vec::new();
        (Manager { socket, received }, command.spawn().unwrap())
    }

    /// Waits for a message that begins with `line`, after those that were waited for before.
    fn sees(&mut self, line: &str) -> String {
        eventually(line, || {
            let mut message = [0; 4_096];
            if let Ok(length) = self.socket.recv(&mut message) {
                let text = String::from_utf8_lossy(&message[..length]);
                self.received.push(text.into_owned());
            }
            let index = self.received.iter().position(|text| text.starts_with(line))?;
            self.received.drain(..=index).next_back()
        })
    }
}

fn ended(mut process: Child) -> bool {
    let deadline = std::time::Instant::now() + TIMEOUT;
    loop {
        match process.try_wait().unwrap() {
            Some(status) => return status.success(),
            None => assert!(std::time::Instant::now() < deadline, "still runs"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_service_manager_sees_what_the_cluster_does() {
    let cluster = TestCluster::behind("builtin");
    let (mut manager, process) = Manager::start(&cluster, &["builtin"]);
    manager.sees("READY=1");
    manager.sees("STATUS=4 of 4 nodes up behind builtin, 0 connections");
    manager.sees("WATCHDOG=1");
    cluster.ok(&["reload", "--set", "limits.per_ip.connections=500"]);
    let reloading = manager.sees("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.sees("READY=1");
    signal(process.id(), Signal::SIGHUP);
    manager.sees("RELOADING=1");
    manager.sees("READY=1");
    signal(process.id(), Signal::SIGTERM);
    manager.sees("STOPPING=1");
    assert!(ended(process));
}

#[test]
fn a_supervisor_that_adopts_is_ready_even_if_the_profile_has_changed() {
    let cluster = TestCluster::behind("builtin");
    let (mut manager, mut process) = Manager::start(&cluster, &["builtin"]);
    manager.sees("READY=1");
    let pids = cluster.processes();
    process.kill().unwrap();
    process.wait().unwrap();
    let changed = ["builtin", "--set", "limits.per_ip.connections=400"];
    let (mut manager, process) = Manager::start(&cluster, &changed);
    manager.sees("READY=1");
    assert_eq!(cluster.processes(), pids);
    signal(process.id(), Signal::SIGTERM);
    assert!(ended(process));
}

#[test]
fn a_supervisor_that_adopts_keeps_the_balancer_of_a_switch() {
    let cluster = TestCluster::behind("builtin").set("limits.maxconn=9500");
    let (mut manager, mut process) = Manager::start(&cluster, &["builtin"]);
    manager.sees("READY=1");
    cluster.ok(&["switch", "haproxy"]);
    let pids = cluster.processes();
    process.kill().unwrap();
    process.wait().unwrap();
    let (mut manager, process) = Manager::start(&cluster, &["builtin"]);
    manager.sees("READY=1");
    manager.sees("STATUS=4 of 4 nodes up behind haproxy, 0 connections");
    assert_eq!(cluster.processes(), pids);
    signal(process.id(), Signal::SIGTERM);
    assert!(ended(process));
}

#[test]
fn the_unit_repeats_the_flags() {
    let cluster = TestCluster::behind("builtin");
    let unit = cluster.ok(&["export", "systemd", "builtin", "--user", "mcp"]);
    let start = unit.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
    let run_dir = format!("--run-dir {}", cluster.run_dir().display());
    assert!(
        start.contains(" start builtin --foreground")
            && start.contains(&run_dir)
            && start.contains("--port-offset"),
        "{start}"
    );
    assert!(unit.contains("\nUser=mcp\n"), "{unit}");
    let refused = cluster.run(&["export", "systemd", "--user", "a b"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}

#[test]
fn a_containerfile_has_what_it_copies_beside_it() {
    let cluster = TestCluster::behind("builtin");
    let directory = cluster.dir().join("image");
    let profile = cluster.dir().join("mine.yaml");
    std::fs::write(&profile, cluster.ok(&["profile", "show"])).unwrap();
    let output = directory.display().to_string();
    let mine = profile.display().to_string();
    let export = [
        "export",
        "container",
        "haproxy",
        "--with",
        "nginx",
        "--output",
        &output,
    ];
    let written = cluster.ok(&[&export[..], &["--profile", &mine]].concat());
    let names = ["Containerfile", "clusterctl", "profile.yaml"].map(|name| directory.join(name));
    let paths: Vec<_> = names.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(written.lines().collect::<Vec<_>>(), paths);
    assert!(names.iter().all(|path| path.exists()));
    let image = std::fs::read_to_string(&names[0]).unwrap();
    assert!(
        image.contains("--no-install-recommends haproxy nginx ")
            && image.contains(r#""start", "haproxy", "--foreground", "--announce", "5s""#)
            && image.contains(r#""--profile", "/etc/clusterctl/profile.yaml""#)
            && !image.contains(&format!("\"{mine}\"")),
        "{image}"
    );
    let refused = cluster.run(&["export", "container", "--with", "a b"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}

#[test]
fn health_may_be_content_while_clients_are_served() {
    let cluster = TestCluster::behind("builtin");
    cluster.ok(&["start", "builtin"]);
    cluster.ok(&["health", "--serving"]);
    signal(cluster.node_pid("erlmcp1"), Signal::SIGSTOP);
    eventually("a degraded cluster", || {
        (cluster.run(&["health"]).code == 1).then_some(())
    });
    cluster.ok(&["health", "--serving"]);
    cluster.ok(&["stop", "--grace", "0"]);
    assert_eq!(cluster.run(&["health", "--serving"]).code, 1);
}
