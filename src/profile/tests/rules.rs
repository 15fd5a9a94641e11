//! What breaks each rule, and what does not.

use std::path::Path;

use super::{cluster, file, problems, sets};
use crate::profile::Certificate;

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
        ("limits.body=0", "`limits.body` cannot be 0"),
        ("health.eject=0", "`health.eject` cannot be 0"),
        (
            "timeouts.node_keep_alive=0",
            "`timeouts.node_keep_alive` cannot be zero",
        ),
        ("routing.max_age=0", "`routing.max_age` cannot be zero"),
        ("routing.max_age=30d", "`routing.max_age` cannot be 720h"),
        ("routing.table.size=0", "`routing.table.size` cannot be 0"),
        ("limits.maxconn=0", "`limits.maxconn` cannot be 0"),
        ("health.rise=0", "`health.rise` cannot be 0"),
        ("health.interval=0", "`health.interval` cannot be zero"),
        ("timeouts.tunnel=30d", "`timeouts.tunnel` cannot be 720h"),
        ("rollout.canary=1001", "`rollout.canary` cannot be 1001"),
        ("rollout.batch=0", "`rollout.batch` cannot be 0"),
        ("rollout.hold=0", "`rollout.hold` cannot be zero"),
        ("rollout.max_p99=0", "`rollout.max_p99` cannot be zero"),
        ("rollout.max_errors=100%", "`rollout.max_errors` cannot be 100%"),
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
