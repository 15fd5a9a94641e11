//! `status`, `health`, the metrics and the balancer's own pages agree about every node, in each of
//! its states.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Client, TestCluster, behind_each_balancer, eventually, http_get, signal};

behind_each_balancer!(all_views_agree_in_every_state);

/// How many times in a row all views must agree.
const LOOKS: usize = 3;

/// A node that is not ready while the file `slow-NAME` exists, and exits at once while
/// `broken-NAME` exists.
const SCRIPT: &str = r#"
while [ -e "${0%/*}/slow-$1" ]; do sleep 0.1; done
[ ! -e "${0%/*}/broken-$1" ] || exit 1
exec "$BIN" node --name "$1" --tcp "127.0.0.1:$2" --http "127.0.0.1:$3""#;

/// What each view shows at about the same time.
#[derive(Debug)]
struct Views {
    status: Value,
    status_code: i32,
    health: Value,
    health_code: i32,
    /// `/metrics` of the supervisor.
    metrics: String,
    /// Backend, node and state from `clusterctl stats`.
    stats: Vec<Server>,
    /// Backend, node and state from the balancer's own page; nginx has none.
    page: Vec<Server>,
    /// `/health` for load balancers in front of this one.
    ready: String,
}

/// A server of the balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    backend: String,
    node: String,
    word: String,
}

impl Views {
    /// All views; `None` where one does not answer.
    fn read(cluster: &TestCluster) -> Option<Views> {
        let status = cluster.run(&["status", "--json"]);
        let health = cluster.run(&["health", "--json"]);
        let table: Value = serde_json::from_str(&cluster.run(&["stats", "--json"]).stdout).ok()?;
        let rows = table["rows"].as_array()?.iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let page = match cluster.balancer() {
            "nginx" => Vec::new(),
            _ => servers_in_csv(&http_get(cluster.address(8404), "/stats;csv")),
        };
        Some(Views {
            status: serde_json::from_str(&status.stdout).ok()?,
            status_code: status.code,
            health: serde_json::from_str(&health.stdout).ok()?,
            health_code: health.code,
            metrics: http_get(cluster.address(8405), "/metrics"),
            stats: rows
                .map(|row| Server {
                    backend: text(&row["proxy"]),
                    node: text(&row["name"]),
                    word: text(&row["status"]),
                })
                .filter(Server::is_node)
                .collect(),
            page,
            ready: http_get(cluster.address(8888), "/health"),
        })
    }

    /// The state of each node in `status`.
    fn states(&self) -> Vec<(&str, &str)> {
        let nodes = self.status["nodes"].as_array().unwrap().iter();
        nodes
            .map(|node| (node["name"].as_str().unwrap(), node["state"].as_str().unwrap()))
            .collect()
    }

    /// The views that disagree with the states of `status`.
    fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut check = |what: &str, is: String, expected: String| {
            if is != expected {
                differences.push(format!("{what}: {is} instead of {expected}"));
            }
        };
        let states = self.states();
        let is_healthy = states
            .iter()
            .all(|(_, state)| ["up", "draining", "drained", "stopped"].contains(state));
        let (state, code) = if is_healthy {
            ("healthy", 0)
        } else {
            ("degraded", 1)
        };
        for (view, value, exit) in [
            ("status", &self.status, self.status_code),
            ("health", &self.health, self.health_code),
        ] {
            check(view, value["state"].to_string(), format!("\"{state}\""));
            check(&format!("{view}'s exit code"), exit.to_string(), code.to_string());
        }
        for (index, (node, state)) in states.iter().enumerate() {
            let expected = format!("\"{state}\"");
            check(
                "health",
                self.health["nodes"][index]["state"].to_string(),
                expected,
            );
            check("metrics", self.metric(node), metric(state));
            for server in self.servers(node) {
                let is = format!("{server:?}");
                let right = Server {
                    word: word(state, &server.backend).to_owned(),
                    ..server.clone()
                };
                check("balancer", is, format!("{right:?}"));
            }
            check(
                "balancer",
                self.servers(node).next().is_some().to_string(),
                "true".into(),
            );
        }
        let taking = states.iter().filter(|(_, state)| self.is_counted_up(state));
        let expected = format!("{{\"status\":\"up\",\"nodes_up\":{},", taking.count());
        check(
            "/health",
            self.ready.contains(&expected).to_string(),
            "true".into(),
        );
        differences
    }

    /// Whether `/health` counts a node in this state. nginx's number is in the file that others
    /// have edited.
    fn is_counted_up(&self, state: &str) -> bool {
        state == "up" || (state == "maintenance" && self.page.is_empty())
    }

    /// The node at the balancer, in each view and backend.
    fn servers(&self, node: &str) -> impl Iterator<Item = Server> {
        let rows = self.stats.iter().chain(&self.page);
        let rows = rows.filter(move |server| server.node == node).cloned();
        // On their way to another state, servers have a check count after the state.
        let rows = rows.map(|server| Server {
            word: server.word.split(' ').next().unwrap_or_default().to_owned(),
            ..server
        });
        rows.collect::<Vec<_>>().into_iter()
    }

    /// Whether the node answers, and its state, in the metrics.
    fn metric(&self, node: &str) -> String {
        let label = format!("node=\"{node}\"");
        let lines = || self.metrics.lines().filter(|line| line.contains(&label));
        let up = lines().find(|line| line.starts_with("clusterctl_node_up{"));
        let up = up.and_then(|line| line.rsplit(' ').next());
        let states =
            lines().filter(|line| line.starts_with("clusterctl_node_state{") && line.ends_with(" 1"));
        let states: Vec<&str> = states
            .filter_map(|line| line.split("state=\"").nth(1)?.split('"').next())
            .collect();
        format!("{} {}", up.unwrap_or_default(), states.join(","))
    }
}

impl Server {
    fn is_node(&self) -> bool {
        self.node.starts_with("erlmcp")
    }
}

/// What the metrics show for a node in this state.
fn metric(state: &str) -> String {
    let answers = !["down", "starting", "stopped", "failed"].contains(&state);
    format!("{} {state}", u8::from(answers))
}

/// The state that the balancer shows in `backend` for a node in this state. Nodes that others
/// take out are taken out of the TCP backend.
fn word(state: &str, backend: &str) -> &'static str {
    match state {
        "maintenance" if backend.contains("tcp") => "MAINT",
        "up" | "maintenance" => "UP",
        "draining" | "drained" => "DRAIN",
        _ => "DOWN",
    }
}

/// The servers on HAProxy's page.
fn servers_in_csv(answer: &str) -> Vec<Server> {
    let mut lines = answer.lines().skip_while(|line| !line.starts_with("# "));
    let header = lines.next().unwrap_or_default().trim_start_matches("# ");
    let place = |name: &str| header.split(',').position(|column| column == name);
    let Some(word) = place("status") else {
        return Vec::new();
    };
    let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row.len() > word)
        .map(|row| Server {
            backend: row[0].to_owned(),
            node: row[1].to_owned(),
            word: row[word].to_owned(),
        })
        .filter(Server::is_node)
        .collect()
}

/// Waits until the nodes have these states in all views, then checks that the states last.
fn agree(cluster: &TestCluster, states: [&str; 4]) {
    let is_so = |views: &Views| views.states().iter().map(|(_, state)| *state).eq(states);
    let mut last = None;
    eventually(&format!("{states:?} in all views"), || {
        let views = Views::read(cluster)?;
        let differences = views.differences();
        if last.as_ref() != Some(&differences) && is_so(&views) {
            eprintln!("{states:?}: {differences:?}");
            last = Some(differences.clone());
        }
        (is_so(&views) && differences.is_empty()).then_some(())
    });
    let mut looks = 0;
    eventually(&format!("{LOOKS} looks at {states:?}"), || {
        let views = Views::read(cluster).unwrap();
        let differences = views.differences();
        if is_so(&views) && differences.is_empty() {
            looks += 1;
        } else {
            // A check of a drained node is a connection, and the node is draining until the check
            // ends.
            assert!(
                states.contains(&"drained"),
                "{states:?}: {differences:?} in {views:#?}"
            );
        }
        (looks >= LOOKS).then_some(())
    });
}

/// The path of a mark file for the script.
fn mark(cluster: &TestCluster, name: &str) -> std::path::PathBuf {
    let path = cluster.dir().join(name);
    File::create(&path).unwrap();
    path
}

/// Clients of the node.
fn clients_of(cluster: &TestCluster, node: &str) -> Vec<(Client, String)> {
    let clients = cluster.clients(24).into_iter();
    let clients: Vec<_> = clients.filter(|(_, served_by)| served_by == node).collect();
    assert!(!clients.is_empty());
    clients
}

fn all_views_agree_in_every_state(balancer: &'static str) {
    each_state(TestCluster::behind(balancer));
}

#[test]
fn all_views_of_several_processes_agree_in_every_state() {
    each_state(TestCluster::sharded());
}

fn each_state(cluster: TestCluster) {
    // A failed node is held back until it is restarted, so each state lasts until the test ends it.
    let cluster = cluster
        .scripted(SCRIPT)
        .set("health={interval: 1s, rise: 100}")
        .set("nodes.restart={backoff: 100ms..100ms, give_up_after: 2}")
        .started();
    agree(&cluster, ["up"; 4]);

    let held = clients_of(&cluster, "erlmcp1");
    cluster.ok(&["drain", "erlmcp1"]);
    let hung = cluster.node_pid("erlmcp2");
    signal(hung, Signal::SIGSTOP);
    let slow = mark(&cluster, "slow-erlmcp3");
    signal(cluster.node_pid("erlmcp3"), Signal::SIGKILL);
    agree(&cluster, ["draining", "down", "starting", "up"]);

    drop(held);
    signal(hung, Signal::SIGCONT);
    agree(&cluster, ["drained", "held-back", "starting", "up"]);

    // The balancer treats it as drained, too, although it failed a short while ago.
    cluster.ok(&["drain", "erlmcp2"]);
    agree(&cluster, ["drained", "drained", "starting", "up"]);

    cluster.ok(&["restart", "erlmcp2"]);
    cluster.ok(&["ready", "erlmcp2"]);
    cluster.ok(&["drain", "erlmcp1", "--wait", "--stop"]);
    mark(&cluster, "broken-erlmcp3");
    std::fs::remove_file(slow).unwrap();
    agree(&cluster, ["stopped", "up", "failed", "up"]);

    take_out(&cluster, "erlmcp2");
    agree(&cluster, ["stopped", "maintenance", "failed", "up"]);
    cluster.ok(&["ready", "erlmcp2"]);
    agree(&cluster, ["stopped", "up", "failed", "up"]);
}

/// Takes the node out for TCP, as other tools can at this balancer.
fn take_out(cluster: &TestCluster, node: &str) {
    if cluster.balancer() == "nginx" {
        cluster.mark_down_in_nginx_conf(node);
        signal(cluster.balancer_pid(), Signal::SIGHUP);
    } else {
        for socket in cluster.status()["balancer"]["stats_sockets"].as_array().unwrap() {
            let mut stream = UnixStream::connect(socket.as_str().unwrap()).unwrap();
            writeln!(stream, "disable server mcp_cluster_tcp/{node}").unwrap();
            let answer = std::io::read_to_string(stream).unwrap();
            assert_eq!(answer.trim(), "");
        }
    }
}
