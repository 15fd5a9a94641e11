//! Nodes from a checkout of erlmcp. A stand-in replaces the checkout: the modules that matter, with
//! the same messages between them.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::{Client, TestCluster, behind_each_balancer, eventually};

behind_each_balancer! {
    a_checkout_serves_and_an_error_counts_as_alive,
    a_killed_nodes_clients_are_served_elsewhere,
}

/// The modules, with the application of each.
const MODULES: [(&str, &str, &str); 4] = [
    ("gproc", "gproc", include_str!("gproc.erl")),
    ("erlmcp_core", "erlmcp_app", include_str!("erlmcp_app.erl")),
    (
        "erlmcp_core",
        "erlmcp_registry",
        include_str!("erlmcp_registry.erl"),
    ),
    ("erlmcp_core", "erlmcp_server", include_str!("erlmcp_server.erl")),
];
const APPLICATIONS: [(&str, &str); 2] = [
    (
        "gproc",
        "{application, gproc, [{vsn, \"0.9.0\"}, {mod, {gproc, []}}, {applications, [kernel, stdlib]}]}.",
    ),
    (
        "erlmcp_core",
        "{application, erlmcp_core, [{vsn, \"2.1.0\"}, {mod, {erlmcp_app, []}}, {applications, [kernel, stdlib, gproc]}]}.",
    ),
];

/// A checkout that is not compiled.
fn sources(cluster: &TestCluster) -> PathBuf {
    let checkout = cluster.dir().join("erlmcp");
    for (application, module, text) in MODULES {
        let dir = checkout.join("apps").join(application).join("src");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{module}.erl")), text).unwrap();
    }
    fs::write(checkout.join("rebar.config"), "{minimum_otp_vsn, \"25\"}.\n").unwrap();
    checkout
}

/// A checkout as `rebar3 compile` leaves it.
fn compiled(cluster: &TestCluster) -> PathBuf {
    let checkout = sources(cluster);
    for (application, text) in APPLICATIONS {
        let ebin = ebin(&checkout, application);
        fs::create_dir_all(&ebin).unwrap();
        fs::write(ebin.join(format!("{application}.app")), text).unwrap();
    }
    for (application, module, _) in MODULES {
        let source = checkout
            .join("apps")
            .join(application)
            .join("src")
            .join(format!("{module}.erl"));
        let erlc = Command::new("erlc")
            .arg("-o")
            .arg(ebin(&checkout, application))
            .arg(source)
            .output();
        let output = erlc.unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    checkout
}

fn ebin(checkout: &Path, application: &str) -> PathBuf {
    checkout.join("_build/default/lib").join(application).join("ebin")
}

/// A cluster of nodes from `checkout`, few enough for a busy machine.
fn of(cluster: TestCluster, checkout: &Path) -> TestCluster {
    cluster
        .with(&["--profile", "erlmcp"])
        .set(&format!("nodes.path={}", checkout.display()))
        .set("nodes.count=2")
}

fn started(balancer: &'static str) -> TestCluster {
    let cluster = TestCluster::behind(balancer).with_any_evenness();
    let checkout = compiled(&cluster);
    of(cluster, &checkout).started()
}

/// A start that must fail; its stderr.
fn refused(cluster: &TestCluster, args: &[&str]) -> String {
    let ran = cluster.run(&[&["start", "haproxy"], args].concat());
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    ran.stderr
}

fn a_checkout_serves_and_an_error_counts_as_alive(balancer: &'static str) {
    let cluster = started(balancer);
    let mut names = Vec::new();
    for host in 1..=20 {
        let mut client = Client::connect(Ipv4Addr::new(127, 11, 0, host), cluster.address(8000)).unwrap();
        let first = client.call("ping", &json!({})).unwrap();
        assert_eq!(first["error"]["code"], -32005, "{first}");
        names.push(client.node().unwrap());
    }
    names.sort();
    names.dedup();
    assert_eq!(names, ["erlmcp1", "erlmcp2"]);
    // The line that follows the answer to `initialize` does not disturb a load test.
    let test = cluster.run(&["load-test", "100", "2"]);
    assert_eq!(test.code, 0, "{}{}", test.stdout, test.stderr);
    assert_eq!(cluster.status()["state"], "healthy");
    eventually("a whole mesh", || {
        let status = cluster.ok(&["status"]);
        status
            .contains("all 2 nodes are connected to one another")
            .then_some(())
    });
    the_cookie_file_is_private(&cluster);
}

fn the_cookie_file_is_private(cluster: &TestCluster) {
    let erlang = cluster.run_dir().join("erlang");
    let path = erlang.join("home/.erlang.cookie");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o400);
    let cookie = fs::read_to_string(path).unwrap();
    for name in ["erlmcp1", "erlmcp2"] {
        let config = erlang.join("home").join(format!("{name}.config"));
        assert_eq!(fs::metadata(&config).unwrap().mode() & 0o077, 0);
        assert!(fs::read_to_string(config).unwrap().contains(&cookie));
        let line = fs::read(format!("/proc/{}/cmdline", cluster.node_pid(name))).unwrap();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(line.contains(&format!("-sname {name}@localhost")), "{line}");
        assert!(!line.contains(&cookie), "{line}");
        let environment = fs::read(format!("/proc/{}/environ", cluster.node_pid(name))).unwrap();
        assert!(!String::from_utf8_lossy(&environment).contains(&cookie));
    }
}

fn a_killed_nodes_clients_are_served_elsewhere(balancer: &'static str) {
    let cluster = started(balancer);
    let test = cluster.run(&["load-test", "100", "6", "--failover", "erlmcp2"]);
    assert!(
        test.stdout.contains("not served elsewhere: 0"),
        "{}{}",
        test.stdout,
        test.stderr
    );
    let node = eventually("the node to be back", || {
        Some(cluster.node("erlmcp2")).filter(|node| node["state"] == "up")
    });
    assert!(node["restarts"].as_u64().unwrap() >= 1, "{node}");
}

#[test]
fn a_start_refused_before_anything_runs_leaves_no_cookie() {
    let cluster = TestCluster::new();
    let checkout = compiled(&cluster);
    let cluster = of(cluster, &checkout);
    cluster.ok(&["check", "haproxy"]);
    let _holder = TcpListener::bind(cluster.address(9002)).unwrap();
    let error = refused(&cluster, &[]);
    assert!(error.contains("is taken by"), "{error}");
    assert!(!cluster.run_dir().join("erlang").exists());
}

/// The published listener of erlmcp behaves like this.
#[test]
fn a_listener_that_accepts_and_never_answers_is_found() {
    let cluster = TestCluster::new();
    let checkout = compiled(&cluster);
    let listen = "spawn(fun() -> {ok, _} = gen_tcp:listen({tcp_port}, [{ip, {127,0,0,1}}, {reuseaddr, true}]), receive never -> ok end end)";
    let cluster = of(cluster, &checkout).set(&format!("nodes.eval={listen}"));
    // A probe waits 5 s for an answer, and on a busy machine the node needs some time until it
    // listens.
    let error = refused(&cluster, &["--timeout", "14s"]);
    let expected = format!(
        "{} accepts connections and never answers `ping`",
        cluster.address(9001)
    );
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn a_port_that_never_opens_is_reported_with_the_last_log_lines() {
    let cluster = TestCluster::new();
    let checkout = compiled(&cluster);
    let cluster = of(cluster, &checkout).set("nodes.eval='io:put_chars(\"no listener today\\n\")'");
    let error = refused(&cluster, &["--timeout", "4s"]);
    assert!(
        error.contains("did not answer in time: cannot connect to"),
        "{error}"
    );
    assert!(error.contains("no listener today"), "{error}");
}

#[test]
fn problems_with_a_checkout_are_reported() {
    let cluster = TestCluster::new();
    let checkout = sources(&cluster);
    let cluster = of(cluster, &checkout);
    let checked = cluster.run(&["check", "haproxy"]);
    assert!(
        checked.code == 1 && checked.stderr.contains("is not compiled"),
        "{}",
        checked.stderr
    );
    let error = refused(&cluster, &[]);
    assert!(error.contains("is not compiled\nhint: `cd "), "{error}");
    assert!(error.contains("rebar3 compile`, with OTP 25 or newer"), "{error}");

    compiled(&cluster);
    fs::write(
        ebin(&checkout, "erlmcp_core").join("erlmcp_core.app"),
        APPLICATIONS[1].1.replace("gproc]", "gproc, jose]"),
    )
    .unwrap();
    // The node serves without that application, and both `start` and the log warn.
    let started = cluster.run(&["start", "haproxy"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    let log = cluster.ok(&["logs", "erlmcp1"]);
    let why = "`erlmcp_core` does not start: `jose`: there is no jose.app";
    assert!(log.contains(&format!("warning: {why}")), "{log}");
    assert!(
        started.stderr.contains(&format!("warning: erlmcp1: {why}")),
        "{}",
        started.stderr
    );
    cluster.ok(&["stop"]);

    of_the_future(&ebin(&checkout, "erlmcp_core").join("erlmcp_server.beam"));
    let error = refused(&cluster, &[]);
    assert!(error.contains("needs a newer Erlang than OTP "), "{error}");
}

/// Changes the compiled module so that it needs more instructions than any Erlang has.
fn of_the_future(beam: &Path) {
    let mut bytes = fs::read(beam).unwrap();
    let code = bytes.windows(4).position(|chunk| chunk == b"Code").unwrap();
    // After the chunk's name and size: the header's size, the instruction set, and the highest
    // instruction.
    let highest = code + 4 + 4 + 4 + 4;
    bytes[highest..highest + 4].copy_from_slice(&u32::from(u16::MAX).to_be_bytes());
    fs::write(beam, bytes).unwrap();
}
