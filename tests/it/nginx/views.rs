//! What the real nginx shows: `stats`, `status`, `logs`, and the counts of a load test.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use serde_json::Value;

use crate::harness::{Client, TestCluster, eventually};

fn stats(cluster: &TestCluster) -> Value {
    serde_json::from_str(&cluster.ok(&["stats", "--json"])).unwrap()
}

/// A row of `stats`.
fn row(stats: &Value, proxy: &str, name: &str) -> Value {
    let mut rows = stats["rows"].as_array().unwrap().iter();
    let row = rows.find(|row| row["proxy"] == proxy && row["name"] == name);
    row.unwrap_or_else(|| panic!("no {proxy}/{name} in {stats}"))
        .clone()
}

/// The sum of one figure over all nodes.
fn over_nodes(stats: &Value, proxy: &str, figure: &str) -> u64 {
    let names = (1..=4).map(|number| format!("erlmcp{number}"));
    names
        .map(|name| row(stats, proxy, &name)[figure].as_u64().unwrap())
        .sum()
}

/// `count` clients, each served once.
fn clients(cluster: &TestCluster, count: u8) -> Vec<Client> {
    let client = |number| {
        let mut client = Client::connect(Ipv4Addr::new(127, 0, 9, number), cluster.address(8000)).unwrap();
        client.node().unwrap();
        client
    };
    (1..=count).map(client).collect()
}

/// The statuses of the answers to `count` requests for `/health`, one after the other.
fn statuses(cluster: &TestCluster, count: usize) -> Vec<String> {
    let mut stream = TcpStream::connect(cluster.address(8080)).unwrap();
    let head = "GET /health HTTP/1.1\r\nHost: localhost\r\n";
    let requests = format!("{head}\r\n").repeat(count - 1);
    write!(stream, "{requests}{head}Connection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let starts = answers.split("HTTP/1.1 ").skip(1);
    starts.map(|answer| answer[..3].to_owned()).collect()
}

#[test]
fn rows_of_nginx_have_haproxys_shape_and_the_kernels_counts() {
    let cluster = TestCluster::behind("nginx").started();
    let held = clients(&cluster, 8);
    let seen = stats(&cluster);
    for (frontend, upstream) in [
        ("mcp_frontend_tcp", "erlmcp_tcp_cluster"),
        ("mcp_frontend_http", "erlmcp_http_cluster"),
        ("mcp_frontend_websocket", "erlmcp_websocket_cluster"),
        ("mcp_frontend_sse", "erlmcp_sse_cluster"),
    ] {
        assert_eq!(row(&seen, frontend, "FRONTEND")["status"], "OPEN");
        assert_eq!(row(&seen, upstream, "BACKEND")["status"], "UP");
        let node = row(&seen, upstream, "erlmcp3");
        assert_eq!((&node["status"], &node["check"]), (&"UP".into(), &"L7OK".into()));
    }
    assert_eq!(row(&seen, "mcp_frontend_tcp", "FRONTEND")["sessions"], 8);
    assert_eq!(over_nodes(&seen, "erlmcp_tcp_cluster", "sessions"), 8);
    assert_eq!(row(&seen, "erlmcp_tcp_cluster", "BACKEND")["sessions_total"], 8);
    // A query of `status` may be counted at the same time.
    eventually("nginx to count the same", || {
        (stats(&cluster)["nginx"]["connections"] == 8).then_some(())
    });

    drop(held);
    let seen = eventually("all to have ended", || {
        let seen = stats(&cluster);
        let row = row(&seen, "erlmcp_tcp_cluster", "BACKEND");
        (row["sessions"] == 0 && row["sessions_total"] == 8).then_some(seen)
    });
    assert_eq!(over_nodes(&seen, "erlmcp_tcp_cluster", "sessions_total"), 8);
    let backend = row(&seen, "erlmcp_tcp_cluster", "BACKEND");
    assert!(backend["bytes_in"].as_u64() > Some(8 * 100), "{backend}");
    assert!(backend["first_byte"]["p99_ms"].is_u64(), "{backend}");
    assert_eq!(
        (&backend["errors"], &backend["connect_errors"]),
        (&0.into(), &0.into())
    );
    assert_eq!(seen["nginx"]["strange_lines"], 0);

    eventually("nginx to have no client", || {
        let shown = cluster.ok(&["stats"]);
        assert!(shown.contains("erlmcp_tcp_cluster"), "{shown}");
        shown.contains("nginx has 0 client connections").then_some(())
    });
}

#[test]
fn requests_and_denied_clients_are_counted() {
    let cluster = TestCluster::behind("nginx").started();
    assert_eq!(statuses(&cluster, 3), ["200", "200", "200"]);
    let front = |stats: &Value| row(stats, "mcp_frontend_http", "FRONTEND");
    let seen = eventually("three requests", || {
        let seen = stats(&cluster);
        (front(&seen)["sessions_total"] == 3).then_some(seen)
    });
    assert_eq!(over_nodes(&seen, "erlmcp_http_cluster", "sessions_total"), 3);
    assert_eq!(front(&seen)["denied"], 0);
    // Its log contains only the listeners that it has inherited, and problems, of which there are
    // none.
    let log = cluster.ok(&["logs", "nginx"]);
    let lines = log
        .lines()
        .filter(|line| !line.contains("using inherited sockets"));
    assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new());

    // More than a hundred a second plus the burst.
    let answers = statuses(&cluster, 900);
    let denied = answers.iter().filter(|status| *status == "429").count();
    assert!(
        denied > 0 && answers.len() == 900,
        "{denied} of {}",
        answers.len()
    );
    eventually("all of them to be counted", || {
        let front = front(&stats(&cluster));
        (front["sessions_total"] == 903 && front["denied"] == denied && front["errors"] == 0).then_some(())
    });
}

#[test]
fn nodes_are_shown_in_the_state_given_to_nginx() {
    let cluster = TestCluster::behind("nginx").started();
    cluster.ok(&["drain", "erlmcp2", "--wait"]);
    let seen = stats(&cluster);
    assert_eq!(row(&seen, "erlmcp_tcp_cluster", "erlmcp2")["status"], "DRAIN");
    assert_eq!(row(&seen, "erlmcp_sse_cluster", "erlmcp1")["status"], "UP");
    cluster.ok(&["ready", "erlmcp2"]);
    eventually("it to be up again", || {
        (row(&stats(&cluster), "erlmcp_tcp_cluster", "erlmcp2")["status"] == "UP").then_some(())
    });
    let page = cluster.status()["balancer"]["endpoints"]["status_socket"].clone();
    assert_eq!(page.as_str().map(|page| page.starts_with('/')), Some(true));
    cluster.ok(&["logs", "nginx-access"]);
}

#[test]
fn counts_survive_a_full_log_and_a_new_supervisor() {
    const TOO_LARGE: usize = 11 * 1024 * 1024;
    let cluster = TestCluster::behind("nginx").started();
    drop(clients(&cluster, 5));
    let total = |cluster: &TestCluster| {
        let row = row(&stats(cluster), "erlmcp_tcp_cluster", "BACKEND");
        (row["sessions"] == 0).then(|| row["sessions_total"].as_u64().unwrap())
    };
    eventually("five sessions to have ended", || {
        (total(&cluster) == Some(5)).then_some(())
    });

    let log = cluster.run_dir().join("logs/nginx-access.log");
    let filler = format!("{{\"kind\":\"none\",\"uri\":\"{}\"}}\n", "x".repeat(8_000));
    let filler = filler.repeat(TOO_LARGE / filler.len() + 1);
    let mut writer = File::options().append(true).open(&log).unwrap();
    writer.write_all(filler.as_bytes()).unwrap();
    eventually("the log to be rotated", || {
        (log.metadata().unwrap().len() < 1_000_000).then_some(())
    });
    drop(clients(&cluster, 2));
    eventually("two more", || (total(&cluster) == Some(7)).then_some(()));

    cluster.kill_supervisor();
    // nginx goes on writing its log meanwhile.
    drop(clients(&cluster, 3));
    cluster.start(&[]);
    eventually("all connections in the counts", || {
        (total(&cluster) == Some(10)).then_some(())
    });
}

#[test]
fn a_load_test_counts_by_its_status_page_even_when_workers_were_replaced() {
    let cluster = TestCluster::behind("nginx").started();
    // A connection on another listener does not belong to the test.
    let stranger = TcpStream::connect(cluster.address(8080)).unwrap();
    let test = cluster
        .beside(&["load-test", "1000", "4", "--json"])
        .spawn()
        .unwrap();
    eventually("all connections", || {
        (cluster.status()["distribution"]["total"] == 1_000).then_some(())
    });
    // Each order is a reload; old workers stay as long as their connections.
    cluster.ok(&["drain", "erlmcp4"]);
    cluster.ok(&["ready", "erlmcp4"]);
    let output = test.wait_with_output().unwrap();
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    let counts = &results["counts"];
    assert_eq!(
        (
            &counts["balancer"]["total"],
            &counts["balancer"]["nodes"],
            &counts["agree"]
        ),
        (&1_000.into(), &serde_json::json!([]), &true.into()),
        "{counts}"
    );
    assert!(
        results["memory"]["balancer_bytes"].as_u64() > Some(10_000_000),
        "{}",
        results["memory"]
    );
    drop(stranger);
}
