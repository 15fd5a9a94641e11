//! The rules for nodes: their ports, listeners, members, and health checks.

use super::{cluster, file, problems, sets};
use crate::profile::{HttpCheck, NodeId};

#[test]
fn ports_that_collide() {
    for (set, message) in [
        (
            "nodes.http_port=8080",
            "the http listener and node erlmcp1 both use port 8080",
        ),
        (
            "listen.tcp=9003",
            "node erlmcp3 and the tcp listener both use port 9003",
        ),
        (
            "listen.stats=127.0.0.1:8080",
            "the http listener and the stats page both use port 8080",
        ),
        (
            "listen.status='[::1]:8001'",
            "the websocket listener and the status page both use port 8001",
        ),
        (
            "nodes.tcp_port=8081",
            "node erlmcp1 and node erlmcp1 both use port 8081",
        ),
    ] {
        assert_eq!(
            problems(&sets(&[set])).messages().next(),
            Some(message),
            "--set {set}"
        );
    }
}

#[test]
fn ports_that_do_not_collide() {
    for free in [
        // Another address, another family, a listener that is switched off.
        &["listen.stats=127.0.0.2:9001"][..],
        &["listen.address=['::']", "nodes.http_port=8080"],
        &["listen.address=[127.0.0.1]", "listen.stats=127.0.0.2:8080"],
        &["nodes.http_port=null", "listen.tcp=8080"],
        &["listen.http=null", "nodes.http_port=8080"],
    ] {
        cluster(&sets(free));
    }
}

#[test]
fn an_offset_moves_every_port_and_stops_at_the_last() {
    let mut source = sets(&["tls={certificate: a, key: b}"]);
    source.port_offset = 1_000;
    let cluster = cluster(&source);
    let ports: Vec<u16> = cluster.listen.ports().map(|(_, port)| port).collect();
    assert_eq!(ports, [9000, 9080, 9001, 9002, 9443]);
    let pages: Vec<u16> = cluster.listen.pages().map(|(_, at)| at.port()).collect();
    assert_eq!(pages, [9404, 9888]);
    assert_eq!(cluster.listen.observe.unwrap().port(), 9405);
    assert_eq!(cluster.nodes[3].tcp.unwrap().port(), 10_004);
    assert_eq!(cluster.nodes[3].http.unwrap().port(), 9084);

    source.port_offset = 56_533;
    let problems = problems(&source);
    assert_eq!(
        problems.messages().collect::<Vec<_>>(),
        ["node erlmcp3 would listen on port 65536, beyond 65535"]
    );
    assert!(problems.to_string().contains("--port-offset 56533"));
}

#[test]
fn nodes_without_http_leave_the_http_listeners_out() {
    let listen = cluster(&sets(&["nodes.http_port=null"])).listen;
    assert_eq!(listen.ports().collect::<Vec<_>>(), [("tcp", 8000)]);
    assert!(listen.stats.is_some());
}

#[test]
fn some_listener_must_be_left() {
    for all in [
        &[
            "listen.tcp=null",
            "listen.http=null",
            "listen.websocket=null",
            "listen.sse=null",
        ][..],
        &["listen.tcp=null", "nodes.http_port=null"],
    ] {
        let problems = problems(&sets(all));
        assert_eq!(
            problems.messages().collect::<Vec<_>>(),
            ["no listener is left for clients"]
        );
    }
}

#[test]
fn external_members_replace_the_counted_nodes_and_do_not_move() {
    let mut source = file(
        "nodes:\n  runtime: external\n  count: 0\n  members:\n    - {name: a, address: 192.0.2.1, tcp_port: 9001}\n    - {name: b, address: 192.0.2.2, tcp_port: 9001}\n",
    );
    source.port_offset = 100;
    let cluster = cluster(&source);
    let nodes: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| node.tcp.unwrap().to_string())
        .collect();
    assert_eq!(nodes, ["192.0.2.1:9001", "192.0.2.2:9001"]);
    assert_eq!((cluster.nodes[1].number, cluster.nodes[1].id), (2, NodeId(2)));
    assert_eq!(cluster.listen.ports().collect::<Vec<_>>(), [("tcp", 8100)]);
}

#[test]
fn a_node_is_a_program_or_an_erlmcp_and_opens_its_own_ports() {
    let erlmcp = |more: &[&str]| {
        let source = sets(&[&["nodes.runtime=command", "nodes.path=erlmcp"], more].concat());
        problems(&source)
    };
    let has = |more: &[&str], message: &str| {
        let problems = erlmcp(more);
        assert!(problems.messages().any(|it| it == message), "{problems}");
    };
    has(&[], "`nodes.eval` opens no HTTP port");
    has(&["nodes.name=a.{n}"], "`a.{n}` cannot name an Erlang node");
    has(
        &["nodes.http_port=null", "nodes.command=[x]"],
        "`nodes.command` and `nodes.path` are both set",
    );
    let source = sets(&[
        "nodes.runtime=command",
        "nodes.path=erlmcp",
        "nodes.eval='my:start({http_port})'",
    ]);
    let erlmcp = cluster(&source).erlmcp.unwrap();
    assert!(erlmcp.path.is_absolute() && erlmcp.path.ends_with("erlmcp"));
    let node = cluster(&source).nodes[1].clone();
    assert_eq!(node.fill(&erlmcp.eval), "my:start(8082)");
}

#[test]
fn external_members_have_addresses_that_can_be_connected_to() {
    let messages = |address: &str| -> Vec<String> {
        let text = format!(
            "nodes: {{runtime: external, members: [{{name: a, address: \"{address}\", tcp_port: 9001}}]}}\n"
        );
        let problems = problems(&file(&text));
        problems.messages().map(str::to_owned).collect()
    };
    for (address, why) in [
        ("::", "it means every address of a host"),
        ("224.0.0.1", "it is a multicast address"),
        ("ff02::1", "it is a multicast address"),
        ("255.255.255.255", "it is the broadcast address"),
        ("::ffff:255.255.255.255", "it is the broadcast address"),
        (
            "fe80::1",
            "it is link-local (fe80::/10), which needs an interface",
        ),
    ] {
        let expected = format!("a balancer cannot connect to {address}: {why}");
        assert_eq!(messages(address), [expected]);
    }
}

#[test]
fn external_members_are_unique_and_alike() {
    let text = "nodes:\n  runtime: external\n  members:\n    - {name: a, address: 192.0.2.1, tcp_port: 9001, http_port: 1}\n    - {name: a, address: 192.0.2.1, tcp_port: 9001}\n";
    assert_eq!(
        problems(&file(text)).messages().collect::<Vec<_>>(),
        [
            "two nodes are called `a`",
            "some members have an `http_port` and some do not",
            "node a and node a both use port 9001",
        ]
    );
}

#[test]
fn nodes_need_a_port_and_the_listeners_that_they_can_serve() {
    for (sets, problem) in [
        (
            &["nodes.tcp_port=null", "nodes.http_port=null"][..],
            "nodes have no port",
        ),
        (
            &[
                "nodes.tcp_port=null",
                "listen.http=null",
                "listen.websocket=null",
                "listen.sse=null",
            ],
            "no listener is left for clients",
        ),
        (
            &["nodes.runtime=erlang", "nodes.tcp_port=null"],
            "BEAM nodes serve MCP over TCP",
        ),
        (
            &[
                "nodes.runtime=command",
                "nodes.command=[a, '{tcp_port}']",
                "nodes.tcp_port=null",
            ],
            "`{tcp_port}` has no value: nodes serve no raw TCP",
        ),
        (
            &[
                "nodes.runtime=external",
                "nodes.members=[{name: a, address: 127.0.0.1}]",
            ],
            "node a has no port",
        ),
    ] {
        assert_eq!(
            problems(&self::sets(sets)).messages().collect::<Vec<_>>(),
            [problem],
            "{sets:?}"
        );
    }
    let cluster = cluster(&self::sets(&["nodes.tcp_port=null"]));
    assert_eq!(
        (cluster.has_tcp(), cluster.listen.tcp, cluster.nodes[3].tcp),
        (false, None, None)
    );
    assert_eq!(cluster.nodes[3].fill("{address}:{http_port}"), "127.0.0.1:8084");
}

#[test]
fn what_checks_over_http_send_depends_on_the_nodes() {
    let command = ["nodes.runtime=command", "nodes.command=[a]"];
    for (sets, check) in [
        (vec![], HttpCheck::Get),
        (vec!["health.path=/status"], HttpCheck::Either),
        (vec!["health.kind=mcp"], HttpCheck::Mcp),
        (command.to_vec(), HttpCheck::Either),
        ([&command[..], &["health.kind=http"]].concat(), HttpCheck::Get),
    ] {
        assert_eq!(cluster(&self::sets(&sets)).http_check, check, "{sets:?}");
    }
    for (path, problem) in [
        ("health", "`health` is not a path"),
        ("/a b", "`health.path` contains ' '"),
        ("/a\"", "`health.path` contains '\"'"),
    ] {
        let set = format!("health.path='{path}'");
        assert_eq!(
            problems(&self::sets(&[&set])).messages().collect::<Vec<_>>(),
            [problem],
            "{path}"
        );
    }
}
