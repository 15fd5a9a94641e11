//! Nodes that a profile lists, and the host names of external ones.

use super::{cluster, file, problems, sets};
use crate::profile::{Resolved, Source, hosts, load_with};

/// A profile whose nodes are these members.
fn listed(members: &str, more: &[&str]) -> Source {
    let members = format!("nodes.members={members}");
    sets(&[&[members.as_str()], more].concat())
}

#[test]
fn listed_nodes_replace_the_counted_ones() {
    let mut source = listed(
        "[{name: blue, n: 5}, {name: green}, {name: red, n: 1}]",
        &["nodes.count=0", "nodes.runtime=erlang", "nodes.name=x"],
    );
    let nodes = |source: &Source| -> Vec<_> {
        let nodes = cluster(source).nodes.into_iter();
        nodes
            .map(|node| {
                let filled = node.fill("{name} {n} {tcp_port} {http_port}");
                format!("{filled} {}", node.distribution.unwrap().port())
            })
            .collect()
    };
    assert_eq!(
        nodes(&source),
        [
            "blue 5 9005 8085 9105",
            "green 2 9002 8082 9102",
            "red 1 9001 8081 9101"
        ]
    );
    source.port_offset = 1_000;
    assert_eq!(nodes(&source)[0], "blue 5 10005 9085 10105");
}

#[test]
fn what_a_listed_node_may_give_depends_on_the_runtime() {
    let external = &["nodes.runtime=external"][..];
    for (members, more, message, hint) in [
        (
            "[{name: a, n: 0}]",
            &[][..],
            "node a cannot have the number 0",
            "numbers begin at 1, which has the ports `nodes.tcp_port` and `nodes.http_port`",
        ),
        (
            "[{name: a, n: 2}, {name: b}]",
            &[],
            "node a and node b both have the number 2",
            "give each another `n`; without it, a node's number is its position in the list",
        ),
        (
            "[{name: a, n: 1}, {name: a, n: 2}]",
            &[],
            "two nodes are called `a`",
            "give one of them another name",
        ),
        (
            "[{name: 'a{n}'}]",
            &[],
            "`a{n}` cannot name a node",
            "the name of a member is written out, such as `blue`",
        ),
        (
            "[{name: a, n: 60000}]",
            &["nodes.http_port=null"],
            "node a would listen on port 69000, beyond 65535",
            "lower `nodes.tcp_port` or the node's number, `n`",
        ),
        (
            "[{name: a, n: 1000}]",
            &["listen.tcp=10000"],
            "node a and the tcp listener both use port 10000",
            "give `listen.tcp` or `nodes.tcp_port` another port",
        ),
        (
            "[{name: a, n: 921}, {name: b, n: 1}]",
            &[],
            "node a and node b both use port 9001",
            "give `nodes.tcp_port` or `nodes.http_port` another port",
        ),
        (
            "[{name: a, n: 101}, {name: b, n: 1}]",
            &["nodes.runtime=erlang"],
            "node a and node b both use port 9101",
            "give `nodes.erlang.distribution_port` or `nodes.tcp_port` another port",
        ),
        (
            "[{name: a.b}]",
            &["nodes.runtime=erlang"],
            "`a.b` cannot name an Erlang node",
            "remove the `.` from the name",
        ),
        (
            "[{name: a, address: 127.0.0.1, tcp_port: 9001}, {name: b, tcp_port: 1}]",
            &[],
            "`nodes.members[0].address` is only used by runtime `external`",
            "set `nodes.runtime: external`",
        ),
        (
            "[{name: a, address: 127.0.0.1}]",
            &["nodes.runtime=embedded"],
            "`nodes.members[0].address` is only used by runtime `external`",
            "leave it out: nodes that this cluster starts listen on `nodes.address`",
        ),
        (
            "[{name: a, http_port: 8085}]",
            &["nodes.runtime=embedded"],
            "`nodes.members[0].http_port` is only used by runtime `external`",
            "leave it out: `n` chooses the ports, which count from `nodes.tcp_port` and `nodes.http_port`",
        ),
        (
            "[{name: a, n: 1, address: 192.0.2.1, tcp_port: 1}]",
            external,
            "`nodes.members[0].n` is not used by runtime `external`",
            "leave it out: an external node has its own `address` and ports",
        ),
        (
            "[{name: a, tcp_port: 1}]",
            external,
            "node a has no address",
            "give it the `address` at which this host reaches it",
        ),
    ] {
        let problems = problems(&listed(members, more));
        assert_eq!(problems.messages().collect::<Vec<_>>(), [message], "{members}");
        assert!(
            problems.to_string().ends_with(&format!("hint: {hint}")),
            "{problems}"
        );
    }
    let many: Vec<String> = (0..1_001).map(|n| format!("{{name: n{n}}}")).collect();
    let many = problems(&listed(&format!("[{}]", many.join(", ")), &["listen.tcp=1"]));
    let first = many.messages().next();
    assert_eq!(first, Some("`nodes.members` lists 1001 nodes"), "{many}");
}

#[test]
fn each_address_of_a_host_name_is_a_node() {
    let source = file(
        "nodes:\n  runtime: external\n  members:\n    - {name: web, address: web.test, tcp_port: 9001}\n    - {name: a, address: 10.0.0.9, tcp_port: 9001}\n    - {name: b, address: b.test, tcp_port: 9001}\n",
    );
    let expected: Vec<String> = vec!["b.test".into(), "web.test".into()];
    assert_eq!(hosts(&source).unwrap().into_iter().collect::<Vec<_>>(), expected);
    let resolved = |web: &[&str], b: &[&str]| -> Resolved {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        [("web.test".to_owned(), ips(web)), ("b.test".to_owned(), ips(b))].into()
    };
    let cluster = load_with(
        &source,
        &resolved(&["10.0.0.5", "2001:db8::5"], &["10.0.0.5", "10.0.0.6"]),
    )
    .unwrap();
    let nodes: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| format!("{} {} {}", node.number, node.name, node.tcp.unwrap()))
        .collect();
    // An address that two members have is one node.
    assert_eq!(
        nodes,
        [
            "1 web-10.0.0.5 10.0.0.5:9001",
            "2 web-2001-db8--5 [2001:db8::5]:9001",
            "3 a 10.0.0.9:9001",
            "4 b-10.0.0.6 10.0.0.6:9001",
        ]
    );
    let messages = |resolved: &Resolved| -> Vec<String> {
        let problems = load_with(&source, resolved).unwrap_err();
        problems.messages().map(str::to_owned).collect()
    };
    assert_eq!(messages(&Resolved::new()).len(), 2);
    assert_eq!(
        messages(&resolved(&["10.0.0.5"], &[])),
        ["host `b.test` has no known address"]
    );
    assert_eq!(
        messages(&resolved(&["10.0.0.5"], &["10.0.0.5"])),
        ["every address of the host `b.test` is that of another member"]
    );
    assert_eq!(
        messages(&resolved(&["10.0.0.5"], &["10.0.0.9"])),
        ["node a and node b both use port 9001"]
    );
    assert_eq!(
        messages(&resolved(&["224.0.0.1"], &["10.0.0.6"])),
        ["a balancer cannot connect to 224.0.0.1: it is a multicast address"]
    );
    let many: Vec<String> = (0..999)
        .map(|n| format!("10.1.{}.{}", n / 250, n % 250))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        messages(&resolved(&many, &["10.0.0.6"])),
        ["`nodes.members` lists 1001 nodes"]
    );
    // Without addresses, each name is one node.
    assert_eq!(super::cluster(&source).nodes.len(), 3);
}

#[test]
fn names_and_addresses_of_hosts_that_cannot_be_nodes() {
    for (member, message) in [
        (
            "{name: a, address: 300.1.1.1, tcp_port: 1}",
            "`nodes.members[0].address`: `300.1.1.1` is not an IP address or host name",
        ),
        (
            "{name: a, address: 'http://a', tcp_port: 1}",
            "`nodes.members[0].address`: `http://a` is not an IP address or host name",
        ),
        (
            "{name: a, address: 10, tcp_port: 1}",
            "`nodes.members[0].address`: `10`, expected an IP address or host name",
        ),
        (
            "{name: abcdefghijklmnopqrstuvwxy, address: a.test, tcp_port: 1}",
            "`abcdefghijklmnopqrstuvwxy` is too long for the nodes of a host name",
        ),
    ] {
        let text = format!("nodes: {{runtime: external, members: [{member}]}}\n");
        assert_eq!(problems(&file(&text)).messages().collect::<Vec<_>>(), [message]);
    }
    let text = "nodes: {runtime: external, members: [{name: a, address: a.test, tcp_port: 1}, {name: a-10.0.0.1, address: 10.0.0.2, tcp_port: 1}]}\n";
    let resolved = Resolved::from([("a.test".to_owned(), vec!["10.0.0.1".parse().unwrap()])]);
    let problems = load_with(&file(text), &resolved).unwrap_err();
    assert_eq!(
        problems.messages().collect::<Vec<_>>(),
        ["two nodes are called `a-10.0.0.1`"]
    );
}
