//! Failures of BEAM nodes, and hosts without a suitable Erlang.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{connect, log, one_node};
use crate::concurrent_commands::stopped_while_it_starts;
use crate::harness::{Client, TestCluster, eventually};

/// A cluster with these texts as its `erl` and `erlc` programs. `start` is refused.
fn refused_with(erl: &str, erlc: &str) -> String {
    let mut cluster = TestCluster::of_beams("builtin");
    for (name, text) in [("erl", erl), ("erlc", erlc)] {
        let path = cluster.dir().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let erl = cluster.dir().join("erl");
    cluster = cluster.set(&format!("binaries.erl={}", erl.display()));
    let ran = cluster.run(&["start"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("\nhint: "), "{}", ran.stderr);
    assert!(!cluster.run_dir().join("state.json").exists());
    assert!(!cluster.run_dir().join("erlang/home").exists());
    ran.stderr
}

#[test]
fn nothing_starts_without_a_suitable_erlang() {
    let old = refused_with("echo 'Erlang (BEAM) emulator version 12.3' >&2", "");
    assert!(
        old.contains("is OTP 24, but OTP 25 or newer is required"),
        "{old}"
    );
    let broken = refused_with(
        "echo 'Erlang (BEAM) emulator version 13.1.5' >&2",
        "echo 'mcp_rpc.erl:1: no such pass'; exit 1",
    );
    assert!(broken.contains("mcp_rpc.erl:1: no such pass"), "{broken}");
    let cluster = TestCluster::of_beams("builtin").set("binaries.erl=/nonexistent");
    let missing = cluster.run(&["start"]);
    assert!(
        missing.stderr.contains("`apt-get install -y erlang-base`"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_stopped_start_is_reported_although_nodes_end_slowly() {
    let cluster = TestCluster::of_beams("builtin");
    stopped_while_it_starts(&cluster, &["start"], "state.json");
}

#[test]
fn a_taken_distribution_port_is_named_before_anything_is_started() {
    let cluster = TestCluster::of_beams("builtin");
    let _holder = TcpListener::bind((Ipv4Addr::LOCALHOST, cluster.port(9103))).unwrap();
    let ran = cluster.run(&["start"]);
    assert_eq!(ran.code, 1);
    let expected = format!("127.0.0.1:{} is taken by ", cluster.port(9103));
    assert!(
        ran.stderr.contains(&expected) && ran.stderr.contains("wanted for erlmcp3"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_cookie_argument_and_an_invalid_name_are_refused() {
    for (setting, expected) in [
        (
            "nodes.erlang.arguments=[-setcookie, x]",
            "`-setcookie` would show the cookie to every user of this host",
        ),
        ("nodes.name=a.{n}", "cannot name an Erlang node"),
        ("nodes.erlang.distribution_port=9001", "both use port"),
        ("nodes.erlang.busy_wait=often", "busy_wait"),
    ] {
        let cluster = TestCluster::of_beams("builtin").set(setting);
        let ran = cluster.run(&["check"]);
        assert_eq!(ran.code, 1, "{setting}: {}", ran.stdout);
        assert!(ran.stderr.contains(expected), "{setting}: {}", ran.stderr);
    }
}

#[test]
fn user_arguments_reach_the_node() {
    let cluster = TestCluster::of_beams("builtin")
        .set("nodes.count=1")
        .set("nodes.erlang.arguments=[-mcp_node, greeting, '\"hello\"']")
        .set("nodes.erlang.busy_wait=very_short");
    cluster.ok(&["start", "--only", "nodes"]);
    let line = fs::read(format!("/proc/{}/cmdline", cluster.node_pid("erlmcp1"))).unwrap();
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    assert!(
        words
            .windows(2)
            .any(|pair| pair == [&b"greeting"[..], b"\"hello\""]),
        "{words:?}"
    );
    assert!(
        words
            .windows(2)
            .any(|pair| pair == [&b"-sbwt"[..], b"very_short"]),
        "{words:?}"
    );
}

/// Everything that a connection receives until it ends.
fn received(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // It may be cut short.
    let _reset_or_not = stream.read_to_string(&mut text);
    text
}

#[test]
fn a_full_node_refuses_clients_with_a_message_and_stays_up() {
    let cluster = TestCluster::of_beams("builtin")
        .set("nodes.count=1")
        .set("nodes.target=20")
        .set("nodes.maxconn=20");
    cluster.ok(&["start", "--only", "nodes"]);
    let pid = cluster.node_pid("erlmcp1");
    let at = cluster.address(9001);
    let is_served = |client: &mut Client| {
        let answer = client.call("ping", &json!({}));
        answer.is_ok_and(|answer| answer["result"].is_object())
    };
    let mut held: Vec<Client> = Vec::new();
    eventually("twenty clients that are served", || {
        // A health probe holds a slot for a moment, too.
        let mut client = Client::connect(Ipv4Addr::LOCALHOST, at).unwrap();
        held.extend(is_served(&mut client).then_some(client));
        (held.len() == 20).then_some(())
    });
    for _ in 0..50 {
        let refusal = received(connect(&cluster, 9001));
        assert!(
            refusal.contains(r#""error":{"code":503,"message":"too many connections"}"#),
            "{refusal}"
        );
    }
    let ask = |head: &str| {
        let mut stream = connect(&cluster, 8081);
        write!(stream, "{head} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        received(stream)
    };
    let health = ask("GET /health");
    assert!(
        health.starts_with("HTTP/1.1 200 ") && health.contains(r#""connections":20"#),
        "{health}"
    );
    assert!(ask("POST /mcp").starts_with("HTTP/1.1 503 "));
    // Of clients that connect and send nothing, only a few are kept, and not for long.
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(&cluster, 8081)).collect();
    for stream in silent {
        assert_eq!(received(stream), "");
    }
    assert!(ask("GET /health").starts_with("HTTP/1.1 200 "));
    assert!(held.iter_mut().all(|client| client.node().is_ok()));
    drop(held);
    eventually("a free slot", || {
        is_served(&mut Client::connect(Ipv4Addr::LOCALHOST, at).unwrap()).then_some(())
    });
    let node = cluster.node("erlmcp1");
    assert_eq!((&node["pid"], &node["restarts"]), (&pid.into(), &0.into()));
    let log_text = log(&cluster, "erlmcp1");
    assert!(
        log_text.contains("the limit of 20 connections is reached"),
        "{log_text}"
    );
}

#[test]
fn connections_ended_by_the_emulator_free_their_slots() {
    let cluster = one_node();
    let mut held: Vec<Client> = (0..30)
        .map(|_| Client::connect(Ipv4Addr::LOCALHOST, cluster.address(9001)).unwrap())
        .collect();
    assert!(held.iter_mut().all(|client| client.node().is_ok()));
    for call in ["terminate_child", "restart_child"] {
        let call = [
            "erlang",
            "erlmcp1",
            "call",
            "supervisor",
            call,
            "[mcp_node_sup, tcp]",
        ];
        cluster.ok(&call);
    }
    eventually("only the asking connection", || {
        let mut stream = connect(&cluster, 8081);
        write!(stream, "GET /health HTTP/1.0\r\n\r\n").unwrap();
        received(stream).contains(r#""connections":1"#).then_some(())
    });
    let mut client = Client::connect(Ipv4Addr::LOCALHOST, cluster.address(9001)).unwrap();
    assert_eq!(client.node().unwrap(), "erlmcp1");
}

/// The first packet of a handshake, from a node that asks for a name at `host`.
fn nameless(host: &[u8]) -> Vec<u8> {
    const FLAGS: u64 = 0xd_f7ff_fffc | 1 << 33;
    let size = u16::try_from(host.len()).unwrap();
    let packet = [b"N", &FLAGS.to_be_bytes()[..], &[0; 4], &size.to_be_bytes(), host].concat();
    [&u16::try_from(packet.len()).unwrap().to_be_bytes(), &packet[..]].concat()
}

#[test]
fn garbage_on_the_distribution_port_does_no_harm() {
    let cluster = one_node();
    let pid = cluster.node_pid("erlmcp1");
    for garbage in [
        &b"\0"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\x03n\0\x05",
        b"\0\x15n\0\x05\0\0\0\0evil@localhost",
        b"\xff\xffN",
        &[0xff; 10_000],
        &[0; 10_000],
        // An atom has 255 characters at most, so no node can have this name.
        &nameless(&[b'a'; 250]),
        &nameless(&[b'a'; 300]),
        &nameless(&[b'a'; 16_000]),
        &nameless(b"\xff\xfe"),
        b"\0\x10N\0\0\0\0\0\0\0\0\0\0\0\0\xff\xffa",
    ] {
        let mut stream = connect(&cluster, 9101);
        // It may close the connection at once.
        let _reset_or_not = stream.write_all(garbage);
    }
    // A possible name is answered.
    let mut stream = connect(&cluster, 9101);
    stream.write_all(&nameless(b"localhost")).unwrap();
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[2..], b"snamed:");
    // Connections that send nothing more are kept, but not all of them; afterwards others get a
    // slot.
    let silent: Vec<_> = (0..200).map(|_| connect(&cluster, 9101)).collect();
    for stream in silent.into_iter().rev() {
        assert_eq!(received(stream), "");
    }
    cluster.ok(&["erlang", "erlmcp1", "memory"]);
    let mut client = Client::connect(Ipv4Addr::LOCALHOST, cluster.address(9001)).unwrap();
    assert_eq!(client.node().unwrap(), "erlmcp1");
    eventually("a node that answers", || {
        let node = cluster.node("erlmcp1");
        (node["state"] == "up" && node["pid"] == pid && node["restarts"] == 0).then_some(())
    });
}

#[test]
fn unknown_node_names_do_not_fill_the_atom_table() {
    let cluster = one_node();
    let atoms = || -> u64 {
        let call = [
            "erlang",
            "erlmcp1",
            "call",
            "erlang",
            "system_info",
            "[atom_count]",
        ];
        cluster.ok(&call).trim().parse().unwrap()
    };
    let before = atoms();
    for number in 0..3_000 {
        let mut stream = connect(&cluster, 9101);
        stream
            .write_all(&nameless(format!("stranger{number}").as_bytes()))
            .unwrap();
        // It may or may not be answered.
        let _reset_or_not = stream.read(&mut [0; 64]);
    }
    let made = atoms() - before;
    // The connections above have used some of the 1,000.
    assert!((900..2_000).contains(&made), "{made}");
    let log_text = log(&cluster, "erlmcp1");
    assert_eq!(
        log_text
            .matches("nodes with new names are refused from now on")
            .count(),
        1,
        "{log_text}"
    );
}

#[test]
fn a_node_without_descriptors_logs_it_and_goes_on() {
    let cluster = one_node();
    let pid = cluster.node_pid("erlmcp1");
    let limit = std::process::Command::new("prlimit")
        .args(["--pid", &pid.to_string(), "--nofile=60:20000"])
        .status()
        .unwrap();
    assert!(limit.success());
    let held: Vec<TcpStream> = (0..100).map(|_| connect(&cluster, 9001)).collect();
    eventually("a line in the log", || {
        log(&cluster, "erlmcp1")
            .contains("too many open files")
            .then_some(())
    });
    drop(held);
    let mut client = Client::connect(Ipv4Addr::LOCALHOST, cluster.address(9001)).unwrap();
    assert_eq!(client.node().unwrap(), "erlmcp1");
    // Other nodes are still accepted.
    cluster.ok(&["erlang", "erlmcp1", "memory"]);
    let node = cluster.node("erlmcp1");
    assert_eq!(
        (&node["pid"], &node["restarts"]),
        (&pid.into(), &0.into()),
        "{node}"
    );
}
