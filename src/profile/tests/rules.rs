//! What breaks each rule, and what does not.

use std::path::Path;

use super::{cluster, file, problems, sets};
use crate::profile::{Certificate, HttpCheck};

/// Each set breaks exactly one rule, and the message names it.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn broken_rules() {
    for (set, message) in [
        ("cluster=.hidden", "`.hidden` cannot name a cluster"),
        ("cluster=a/b", "`a/b` cannot name a cluster"),
        ("cluster=''", "`` cannot name a cluster"),
        ("nodes.count=0", "`nodes.count` cannot be 0"),
        ("nodes.name=node", "4 nodes would all be called `node`"),
        ("nodes.name=a {n}", "`a 4` cannot name a node"),
        (
            "nodes.address=0.0.0.0",
            "a balancer cannot connect to 0.0.0.0: it means every address of a host",
        ),
        ("nodes.tcp_port=0", "`nodes.tcp_port` cannot be port 0"),
        (
            "nodes.tcp_port=65533",
            "node erlmcp4 would listen on port 65536, beyond 65535",
        ),
        (
            "nodes.target=40000",
            "a node should hold 40000 connections, but its limit is 35000",
        ),
        ("nodes.weight=0", "`nodes.weight` cannot be 0"),
        ("nodes.weight=257", "`nodes.weight` cannot be 257"),
        (
            "nodes.erlang.arguments=[-setcookie, x]",
            "`-setcookie` would show the cookie to every user of this host",
        ),
        ("nodes.runtime=command", "`nodes.command` names no program"),
        (
            "nodes.runtime=external",
            "runtime `external` needs `nodes.members`",
        ),
        (
            "nodes.command=[x]",
            "`nodes.command` is only used by runtime `command`",
        ),
        (
            "nodes.path=erlmcp",
            "`nodes.path` is only used by runtime `command`",
        ),
        (
            "nodes.restart.backoff=0s..1s",
            "`nodes.restart.backoff` cannot be zero",
        ),
        ("listen.address=[]", "`listen.address` is empty"),
        ("listen.address=['::1', '::1']", "`listen.address` has ::1 twice"),
        (
            "listen.address=[0.0.0.0, 127.0.0.1]",
            "`listen.address` has 0.0.0.0 and 127.0.0.1, and one covers the other",
        ),
        ("listen.https=8443", "`listen.https` needs a certificate"),
        ("routing.tcp.algorithm=uri", "raw TCP has no URI to hash"),
        ("routing.tcp.sticky=cookie", "raw TCP has no cookies"),
        (
            "routing.tcp.sticky=mcp-session",
            "raw TCP has no `Mcp-Session-Id` header",
        ),
        ("routing.cookie='a b'", "`a b` cannot name a cookie"),
        ("routing.paths.mcp=[mcp]", "`mcp` is not a path"),
        ("routing.paths.mcp=['']", "`` is not a path"),
        (
            "routing.paths.mcp=['/mcp?x=1']",
            "`/mcp?x=1` has more than a path",
        ),
        ("routing.paths.mcp=['/mcp#x']", "`/mcp#x` has more than a path"),
        ("routing.paths.mcp=['/a b']", "a path cannot have ' '"),
        ("routing.paths.mcp=['/ü']", "a path cannot have 'ü'"),
        ("routing.paths.mcp=['/a{b}']", "a path cannot have '{'"),
        (
            "routing.paths.mcp=['/a%zz']",
            "`/a%zz` has a `%` without two hexadecimal digits",
        ),
        (
            "routing.paths.mcp=['/a%']",
            "`/a%` has a `%` without two hexadecimal digits",
        ),
        (
            "routing.paths.mcp=['/a/%2E']",
            "no request can have the path `/a/%2E`",
        ),
        ("routing.paths.mcp=[//]", "no request can have the path `//`"),
        (
            "routing.paths.mcp=['/a/..']",
            "no request can have the path `/a/..`",
        ),
        (
            "routing.paths.mcp=['/a;b']",
            "no request can have the path `/a;b`",
        ),
        (
            "routing.paths.mcp=[/mcp/ws]",
            "`routing.paths` has `/mcp/ws` twice",
        ),
        ("routing.paths.mcp=[/, /]", "`routing.paths` has `/` twice"),
        (
            "routing.paths={mcp: [], sse: [], websocket: [], other: []}",
            "`routing.paths` has no path for the HTTP listeners",
        ),
        ("limits.head=1kB", "`limits.head` cannot be 1024"),
        ("routing.table.size=0", "`routing.table.size` cannot be 0"),
        ("limits.maxconn=0", "`limits.maxconn` cannot be 0"),
        ("health.rise=0", "`health.rise` cannot be 0"),
        ("health.interval=0", "`health.interval` cannot be zero"),
        ("timeouts.tunnel=30d", "`timeouts.tunnel` cannot be 720h"),
        ("targets.variance=0", "`targets.variance` cannot be 0%"),
        ("tls={certificate: a}", "`tls.key` is missing"),
        ("tls.key=a", "`tls.certificate` is missing"),
        ("tls={}", "`tls` names no certificate"),
        (
            "tls={self_signed: true, key: a}",
            "`tls` has both files and `self_signed`",
        ),
    ] {
        let problems = problems(&sets(&[set]));
        assert_eq!(problems.messages().collect::<Vec<_>>(), [message], "--set {set}");
        let text = problems.to_string();
        assert!(text.contains(&format!("--set {set}")), "shows the set: {text}");
    }
}

#[test]
fn a_node_must_not_have_the_name_of_our_own_logs() {
    for name in ["haproxy", "nginx", "builtin", "supervisor"] {
        let name = format!("nodes.name={name}");
        assert!(
            problems(&sets(&["nodes.count=1", &name]))
                .to_string()
                .contains("no node can be called")
        );
    }
    cluster(&sets(&["nodes.count=1", "nodes.name=haproxy1"]));
}

#[test]
fn all_broken_rules_are_reported_at_once() {
    let text = "cluster: a b\nnodes: {count: 0, weigt: 1}\nhealth: {rise: 0, fall: 0}\nnode: 1\n";
    assert_eq!(
        problems(&file(text)).messages().collect::<Vec<_>>(),
        [
            "unknown key `nodes.weigt`",
            "unknown key `node`",
            "`a b` cannot name a cluster",
            "`nodes.count` cannot be 0",
            "`health.rise` cannot be 0",
            "`health.fall` cannot be 0",
        ]
    );
}

#[test]
fn all_wrong_types_are_reported_at_once() {
    let text = "nodes: {count: many, http_port: 70000}\nlisten: [1]\nhealth: {kind: mpc}\n";
    assert_eq!(
        problems(&file(text)).messages().collect::<Vec<_>>(),
        [
            "`nodes.count`: `many` is not a count such as `1000`, `200k` or `1m`",
            "`nodes.http_port`: `70000`, expected a whole number from 0 to 65535",
            "`listen`: a list, expected a map",
            "`health.kind`: `mpc`, expected one of `auto`, `tcp`, `mcp`, `http`",
        ]
    );
}

#[test]
fn every_whole_number_but_a_port_is_a_count() {
    let cluster = cluster(&sets(&[
        "nodes.count=3",
        "nodes.target=20k",
        "nodes.maxconn='30K'",
        "nodes.weight='7'",
        "nodes.restart.give_up_after=1k",
        "nodes.erlang.fullsweep_after=1k",
        "routing.table.size=1m",
        "limits.maxconn=90k",
        "limits.per_ip={connections: 1k, connection_rate: 2k, message_rate: 3k}",
        "health={rise: '3', fall: 1k}",
    ]));
    let node = &cluster.nodes[2];
    assert_eq!((node.target, node.maxconn, node.weight), (20_000, 30_000, 7));
    assert_eq!(
        (cluster.restart.give_up_after, cluster.erlang.fullsweep_after),
        (1_000, 1_000)
    );
    assert_eq!(
        (cluster.routing.table.size.get(), cluster.limits.maxconn),
        (1_000_000, 90_000)
    );
    let per_ip = &cluster.limits.per_ip;
    let limits = (per_ip.connections, per_ip.connection_rate, per_ip.message_rate);
    assert_eq!(limits, (1_000, 2_000, 3_000));
    assert_eq!((cluster.health.rise, cluster.health.fall), (3, 1_000));
    for wrong in ["1.5k", "-1", "-1k", "5000m", "100 k", "k", "[1]", "null", "1e30"] {
        let problems = problems(&sets(&[&format!("limits.maxconn={wrong}")])).to_string();
        let hint = "hint: it is 1 to 10000000; the default is `100000`";
        assert!(
            problems.contains("`limits.maxconn`: ") && problems.ends_with(hint),
            "{wrong}: {problems}"
        );
    }
}

#[test]
fn mistyped_placeholders_are_found_with_suggestions() {
    for (sets_of, message, hint) in [
        (
            vec!["nodes.command=[a, --port, '{port}']"],
            "unknown placeholder `{port}`",
            "did you mean `{tcp_port}` or `{http_port}`?",
        ),
        (
            vec!["nodes.command=['bin/{nmae}']"],
            "unknown placeholder `{nmae}`",
            "did you mean `{name}`?",
        ),
        (
            vec!["nodes.command=[awk, '{print}']"],
            "unknown placeholder `{print}`",
            "available: `{name}`, `{n}`, `{address}`, `{tcp_port}`, `{http_port}`; to pass `{print}` on as it is, write `{{print}}`",
        ),
        (
            vec!["nodes.command=[a, '{http_port}']", "nodes.http_port=null"],
            "`{http_port}` has no value: nodes have no HTTP",
            "set `nodes.http_port`",
        ),
    ] {
        let mut all = vec!["nodes.runtime=command"];
        all.extend(sets_of);
        let problems = problems(&sets(&all));
        assert_eq!(problems.messages().collect::<Vec<_>>(), [message]);
        assert!(
            problems.to_string().ends_with(&format!("hint: {hint}")),
            "{problems}"
        );
    }
    let unquoted = problems(&file("nodes:\n  command: [bin/{name}, a]\n")).to_string();
    assert!(
        unquoted.ends_with("hint: put a word with braces in quotes, such as `\"{name}\"`"),
        "{unquoted}"
    );
    let fine = cluster(&sets(&[
        "nodes.runtime=command",
        "nodes.command=[sh, -c, 'x ${PORT} {{port}} {\"a\": {n}}']",
    ]));
    assert_eq!(
        fine.nodes[0].fill(&fine.command[2]),
        "x ${PORT} {port} {\"a\": 1}"
    );
    let eval = problems(&sets(&[
        "nodes.runtime=command",
        "nodes.path=erlmcp",
        "nodes.http_port=null",
        "nodes.eval=a:b({tcpport}, {ok})",
    ]));
    assert_eq!(
        eval.messages().collect::<Vec<_>>(),
        ["unknown placeholder `{tcpport}`"]
    );
}

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
    assert_eq!(cluster.nodes[1].number, 2);
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
fn relative_paths_begin_where_they_were_written() {
    let mut source = file("tls: {certificate: a.pem, key: /keys/b.pem}\nbinaries: {haproxy: ./haproxy}\n");
    source.name = "profiles/p.yaml".to_owned();
    source.sets = vec![
        "binaries.nginx=bin/nginx".to_owned(),
        "binaries.erl=erl".to_owned(),
    ];
    let cluster = cluster(&source);
    assert_eq!(
        cluster.tls,
        Some(Certificate::Files {
            certificate: "/conf/profiles/a.pem".into(),
            key: "/keys/b.pem".into(),
        })
    );
    let binaries = cluster.binaries;
    assert_eq!(
        binaries.haproxy.as_deref(),
        Some(Path::new("/conf/profiles/haproxy"))
    );
    assert_eq!(binaries.nginx.as_deref(), Some(Path::new("/conf/bin/nginx")));
    assert_eq!(binaries.erl.as_deref(), Some(Path::new("erl")));
}

#[test]
fn a_certificate_alone_opens_https() {
    let tls = "tls={certificate: a, key: b}";
    assert_eq!(cluster(&sets(&[tls])).listen.https, Some(8443));
    assert_eq!(cluster(&sets(&[tls, "listen.https=443"])).listen.https, Some(443));
    let own = cluster(&sets(&["tls.self_signed=true"]));
    assert_eq!(
        (own.tls, own.listen.https),
        (Some(Certificate::SelfSigned), Some(8443))
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

#[test]
fn a_path_in_two_lists_is_shown_at_both_places() {
    let problems = problems(&file(
        "routing:\n  paths:\n    mcp: [/rpc]\n    other: [/health, /rpc]\n",
    ));
    insta::assert_snapshot!(problems, @r"
    error: `routing.paths` has `/rpc` twice
     --> p.yaml:4:22
      |
    3 |     mcp: [/rpc]
      |           ---- first
    4 |     other: [/health, /rpc]
      |                      ^^^^
    hint: leave it in the list whose requests it gets
    ");
}

#[test]
fn a_listener_without_a_path_is_left_out() {
    let cluster = cluster(&sets(&[
        "routing.paths.websocket=[]",
        "routing.paths.sse=[]",
        "routing.paths.mcp=[/]",
    ]));
    assert_eq!((cluster.listen.websocket, cluster.listen.sse), (None, None));
    assert_eq!((cluster.listen.http, cluster.mcp_path()), (Some(8080), "/"));
}

#[test]
fn trusted_proxies_have_no_limits() {
    let cluster = cluster(&sets(&["listen.trusted=[10.0.0.0/8, '::1']"]));
    let exempt: Vec<String> = cluster
        .limits
        .per_ip
        .exempt
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(exempt, ["10.0.0.0/8", "::1"]);
    let wrong = problems(&sets(&["listen.trusted=[10.0.0.1/8]"]));
    assert!(wrong.to_string().contains("is not a network such as"), "{wrong}");
}
