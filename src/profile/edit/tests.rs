//! Orders that change the nodes, and the profiles that result from them.

use super::{EditError, NewNode, overridden};
use crate::profile::{Source, load};

/// The default profile with `sets`.
fn profile(sets: &[&str]) -> Source {
    Source {
        sets: sets.iter().map(|set| (*set).to_owned()).collect(),
        ..Source::read("default").unwrap()
    }
}

/// A profile in a file.
fn file(text: &str, sets: &[&str]) -> Source {
    Source {
        name: "p.yaml".to_owned(),
        text: text.to_owned(),
        ..profile(sets)
    }
}

fn external(members: &str) -> Source {
    file(
        &format!("nodes: {{runtime: external, members: [{members}]}}\n"),
        &[],
    )
}

/// The nodes as `NAME:NUMBER`, or `NAME:ADDRESS` of external ones.
fn nodes(source: &Source) -> String {
    let cluster = load(source).unwrap_or_else(|problems| panic!("{problems}"));
    let is_external = cluster.runtime == crate::profile::Runtime::External;
    let node = |node: &crate::profile::Node| match node.tcp.or(node.http) {
        Some(at) if is_external => format!("{}={at}", node.name),
        _ => format!("{}:{}", node.name, node.number),
    };
    cluster.nodes.iter().map(node).collect::<Vec<_>>().join(" ")
}

fn new(names: &[&str]) -> Vec<NewNode> {
    let node = |name: &&str| NewNode {
        name: (*name).to_owned(),
        ..NewNode::default()
    };
    names.iter().map(node).collect()
}

fn with(source: &Source, names: &[&str]) -> Source {
    source.with_nodes(&new(names)).unwrap()
}

fn without(source: &Source, names: &[&str]) -> Source {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    source.without_nodes(&names).unwrap()
}

/// The error and its hint.
fn refusal(result: Result<Source, EditError>) -> (String, String) {
    let error = result.unwrap_err();
    (error.error, error.hint.unwrap_or_default())
}

#[test]
fn scale_adds_the_lowest_free_numbers_and_removes_the_highest() {
    let four = profile(&[]);
    let eight = four.scaled(8).unwrap();
    assert_eq!(eight.sets, ["nodes.count=8"]);
    assert!(nodes(&eight).ends_with("erlmcp7:7 erlmcp8:8"));
    let three = eight.scaled(3).unwrap();
    assert_eq!(three.sets, ["nodes.count=3"]);
    assert_eq!(nodes(&three), "erlmcp1:1 erlmcp2:2 erlmcp3:3");
    let gap = without(&four, &["erlmcp2"]);
    assert_eq!(nodes(&gap), "erlmcp1:1 erlmcp3:3 erlmcp4:4");
    assert_eq!(nodes(&gap.scaled(2).unwrap()), "erlmcp1:1 erlmcp3:3");
    let filled = gap.scaled(5).unwrap();
    assert_eq!(filled.sets, ["nodes.count=5"]);
}

#[test]
fn nodes_that_the_file_describes_need_no_set() {
    let two = file("nodes: {count: 2}\n", &["health.rise=3"]);
    let five = two.scaled(5).unwrap();
    assert_eq!(five.sets, ["health.rise=3", "nodes.count=5"]);
    assert_eq!(five.scaled(2).unwrap(), two);
    let listed = file("nodes: {members: [{name: blue, n: 2}, {name: red, n: 1}]}\n", &[]);
    let more = with(&listed, &["green"]);
    assert_eq!(nodes(&more), "red:1 blue:2 green:3");
    assert_eq!(without(&more, &["green"]), listed);
}

#[test]
fn other_nodes_than_those_of_the_pattern_are_listed() {
    let blue = with(&profile(&["nodes.count=1"]), &["blue", "erlmcp3", "on"]);
    assert_eq!(
        blue.sets,
        [
            "nodes.members=[{name: erlmcp1, n: 1}, {name: blue, n: 2}, {name: erlmcp3, n: 3}, {name: \"on\", n: 4}]"
        ]
    );
    assert_eq!(nodes(&blue), "erlmcp1:1 blue:2 erlmcp3:3 on:4");
    // Back at the pattern.
    let counted = without(&blue, &["blue", "erlmcp3", "on"]);
    assert_eq!(counted.sets, ["nodes.count=1"]);
    // A file that lists nodes, with others that are counted.
    let listed = file("nodes: {members: [{name: blue, n: 2}]}\n", &[]);
    let counted = without(&with(&listed, &["erlmcp1"]), &["blue"]);
    assert_eq!(counted.sets, ["nodes.count=1", "nodes.members=[]"]);
    assert_eq!(nodes(&counted), "erlmcp1:1");
    assert_eq!(nodes(&counted.scaled(2).unwrap()), "erlmcp1:1 erlmcp2:2");
}

#[test]
fn a_name_of_the_pattern_takes_its_number_if_that_is_free() {
    let four = profile(&[]);
    assert_eq!(
        nodes(&with(&four, &["erlmcp7"])),
        "erlmcp1:1 erlmcp2:2 erlmcp3:3 erlmcp4:4 erlmcp7:7"
    );
    // Whatever the order, and though another node has the number.
    assert!(nodes(&with(&four, &["x", "erlmcp5"])).ends_with("erlmcp5:5 x:6"));
    let taken = file("nodes: {members: [{name: blue, n: 2}]}\n", &[]);
    assert_eq!(nodes(&with(&taken, &["erlmcp2"])), "erlmcp2:1 blue:2");
    assert_eq!(
        nodes(&with(&taken, &["erlmcp02", "erlmcp99999"])),
        "erlmcp02:1 blue:2 erlmcp99999:3"
    );
    // A number whose name another node has is left out.
    let crossed = file("nodes: {members: [{name: erlmcp1, n: 2}]}\n", &[]);
    assert_eq!(
        nodes(&crossed.scaled(3).unwrap()),
        "erlmcp1:2 erlmcp3:3 erlmcp4:4"
    );
}

#[test]
fn a_removed_name_can_be_used_again() {
    let again = with(&without(&profile(&[]), &["erlmcp2"]), &["erlmcp2"]);
    assert_eq!(again.sets, profile(&[]).sets);
}

#[test]
fn numbers_whose_ports_are_taken_are_left_out() {
    let close = profile(&["listen.tcp=9002", "listen.http=8083", "nodes.count=1"]);
    assert_eq!(nodes(&close.scaled(3).unwrap()), "erlmcp1:1 erlmcp4:4 erlmcp5:5");
    assert_eq!(nodes(&with(&close, &["erlmcp2"])), "erlmcp1:1 erlmcp2:4");
    // The HTTP ports of numbers 3 and 4 are the TCP ports of 1 and 2.
    let met = profile(&["nodes.http_port=8999", "nodes.count=1"]);
    assert_eq!(nodes(&met.scaled(3).unwrap()), "erlmcp1:1 erlmcp2:2 erlmcp5:5");
}

#[test]
fn the_port_offset_counts() {
    let moved = |sets: &[&str], port_offset| Source {
        port_offset,
        ..profile(sets)
    };
    let source = moved(&["nodes.count=1", "listen.tcp=9003"], 1_000);
    let more = source.scaled(3).unwrap();
    assert_eq!(
        (nodes(&more).as_str(), more.port_offset),
        ("erlmcp1:1 erlmcp2:2 erlmcp4:4", 1_000)
    );
    let last = &load(&more).unwrap().nodes[2];
    assert_eq!(last.tcp.unwrap().port(), 10_004);
    let full = moved(&["nodes.count=2"], 56_533);
    assert_eq!(
        refusal(full.scaled(3)),
        (
            "no port is free for 3 nodes".to_owned(),
            "lower `nodes.tcp_port` and `nodes.http_port`, from which nodes count up to 65535".to_owned()
        )
    );
    assert_eq!(
        refusal(full.with_nodes(&new(&["a"]))).0,
        "no port is free for 3 nodes"
    );
}

#[test]
fn a_large_cluster_is_scaled_at_once() {
    let all = profile(&["nodes.tcp_port=20001", "nodes.http_port=30001", "nodes.count=1"]);
    let all = without(&all.scaled(1_000).unwrap(), &["erlmcp500"]);
    assert_eq!(
        all.scaled(1_000).unwrap().sets.last().unwrap(),
        "nodes.count=1000"
    );
    assert_eq!(load(&with(&all, &["blue"])).unwrap().nodes.len(), 1_000);
}

#[test]
fn external_nodes_have_addresses() {
    let two = external(
        "{name: a, address: 192.0.2.1, tcp_port: 9001}, {name: b, address: 192.0.2.2, tcp_port: 9001}",
    );
    let at = |name: &str, address: &str, tcp_port| NewNode {
        name: name.to_owned(),
        address: Some(address.to_owned()),
        tcp_port,
        http_port: None,
    };
    let more = two
        .with_nodes(&[at("c", "2001:db8::1", None), at("d", "192.0.2.4", Some(7))])
        .unwrap();
    assert_eq!(
        nodes(&more),
        "a=192.0.2.1:9001 b=192.0.2.2:9001 c=[2001:db8::1]:9001 d=192.0.2.4:7"
    );
    assert_eq!(
        nodes(&without(&more, &["a", "d"])),
        "b=192.0.2.2:9001 c=[2001:db8::1]:9001"
    );
    assert_eq!(without(&more, &["d", "c"]), two);
    let host = two.with_nodes(&[at("web", "web.test", None)]).unwrap();
    assert!(
        host.sets[0].ends_with("{name: web, address: web.test, tcp_port: 9001}]"),
        "{:?}",
        host.sets
    );
    assert_eq!(without(&host, &["web"]), two);
    for (result, error) in [
        (
            host.without_nodes(&["web-10.0.0.5".to_owned()]),
            "`web-10.0.0.5` is one address of the host of `web`",
        ),
        (
            two.with_nodes(&[at("c", "300.1.1.1", None)]),
            "`300.1.1.1` is not an IP address or host name",
        ),
        (
            two.scaled(3),
            "external nodes cannot be scaled: this cluster does not start them",
        ),
        (two.with_nodes(&new(&["c"])), "external node `c` has no address"),
        (
            more.with_nodes(&[at("e", "192.0.2.5", None)]),
            "external node `e` has no port, and the ports of the others differ",
        ),
        (
            two.with_nodes(&[at("c", "0.0.0.0", None)]),
            "a balancer cannot connect to 0.0.0.0: it means every address of a host",
        ),
        (
            two.with_nodes(&[at("c", "192.0.2.1", None)]),
            "node a and node c both use port 9001",
        ),
        (
            two.with_nodes(&[NewNode {
                http_port: Some(1),
                ..at("c", "192.0.2.3", Some(1))
            }]),
            "some members have an `http_port` and some do not",
        ),
    ] {
        assert_eq!(refusal(result).0, error);
    }
}

#[test]
fn orders_that_are_not_possible() {
    let four = profile(&[]);
    let solo = profile(&["nodes.count=1", "nodes.name=solo"]);
    let many: Vec<String> = (0..997).map(|n| format!("n{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let remove = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        four.without_nodes(&names)
    };
    for (result, error, hint) in [
        (
            four.scaled(0),
            "a cluster cannot have 0 nodes",
            "`clusterctl stop` ends the cluster",
        ),
        (
            four.scaled(1_001),
            "a cluster cannot have 1001 nodes",
            "it has at most 1000",
        ),
        (
            four.scaled(u16::MAX),
            "a cluster cannot have 65535 nodes",
            "it has at most 1000",
        ),
        (
            four.with_nodes(&new(&many)),
            "a cluster cannot have 1001 nodes",
            "it has at most 1000",
        ),
        (
            solo.scaled(2),
            "`nodes.name` is `solo`, which is the name of one node",
            "set it to a name with the node's number, such as `erlmcp{n}`, or name each node: `clusterctl node add NAME`",
        ),
        (
            four.with_nodes(&new(&["erlmcp4"])),
            "node `erlmcp4` exists already",
            "choose another name; `clusterctl status` lists the nodes",
        ),
        (
            four.with_nodes(&new(&["a", "a"])),
            "node `a` is given twice",
            "leave one of them out",
        ),
        (
            four.with_nodes(&[NewNode {
                name: "a".to_owned(),
                tcp_port: Some(1),
                ..NewNode::default()
            }]),
            "node `a` cannot have an address of its own",
            "leave address and ports out: this cluster starts the node, and its number gives the ports",
        ),
        (
            four.with_nodes(&new(&["a b"])),
            "`a b` cannot name a node",
            "a name has letters, digits, `.`, `_` and `-`, at most 64, and does not begin with `.` or `-`",
        ),
        (
            four.with_nodes(&new(&["builtin"])),
            "no node can be called `builtin`",
            "these names are reserved for logs: builtin, haproxy, nginx, supervisor",
        ),
        (
            remove(&["erlmcp9"]),
            "unknown node `erlmcp9`",
            "did you mean `erlmcp4`?",
        ),
        (
            remove(&["zebra"]),
            "unknown node `zebra`",
            "`clusterctl status` lists the nodes",
        ),
        (
            remove(&["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"]),
            "a cluster needs a node, and none would be left",
            "`clusterctl stop` ends the cluster",
        ),
        (
            file("nodes: {count: 0}\n", &[]).scaled(3),
            "`nodes.count` cannot be 0",
            "it is 1 to 1000",
        ),
    ] {
        assert_eq!(refusal(result), (error.to_owned(), hint.to_owned()));
    }
    assert_eq!(nodes(&with(&solo, &["duo"])), "solo:1 duo:2");
    assert_eq!(
        nodes(&without(&four, &["erlmcp4", "erlmcp4"])),
        "erlmcp1:1 erlmcp2:2 erlmcp3:3"
    );
}

#[test]
fn other_sets_stay_in_force() {
    let source = profile(&[
        "nodes.count=2",
        "nodes.weight=7",
        "nodes={count: 3}",
        "nodes.members = []",
    ]);
    let more = source.scaled(6).unwrap();
    assert_eq!(more.sets, ["nodes.weight=7", "nodes={count: 3}", "nodes.count=6"]);
    assert_eq!(load(&more).unwrap().nodes[5].weight, 7);
}

#[test]
fn new_sets_replace_nodes_that_were_set_before() {
    let blue = with(&profile(&["health.rise=3"]), &["blue"]);
    let sets = |sets: &[&str]| -> Vec<String> { sets.iter().map(|set| (*set).to_owned()).collect() };
    let counted = blue.clone().with_sets(&sets(&["nodes.count=2", "health.rise=3"]));
    assert_eq!(counted.sets, ["nodes.count=2", "health.rise=3"]);
    let other = blue.clone().with_sets(&sets(&["health.fall=3"]));
    assert_eq!(other.sets[..2], blue.sets);
}

#[test]
fn a_file_that_describes_nodes_in_vain_is_noticed() {
    let scaled = |text: &str, sets: &[&str]| overridden(&file(text, sets));
    let expected = "`nodes.count` of `p.yaml` has no effect: the nodes were set by a command, and stay as `nodes.count=8`";
    let count = "nodes: {count: 6}\n";
    assert_eq!(scaled(count, &["nodes.count=8"]).as_deref(), Some(expected));
    let members = scaled(
        "nodes: {members: [{name: a}]}\n",
        &["nodes.count=4", "nodes.members=[]"],
    );
    assert!(
        members
            .unwrap()
            .starts_with("`nodes.members` of `p.yaml` has no effect")
    );
    assert_eq!(scaled(count, &["nodes.count=6"]), None, "the same nodes");
    assert_eq!(scaled(count, &["nodes.weight=6"]), None, "other values");
    assert_eq!(
        scaled("cluster: a\n", &["nodes.count=8"]),
        None,
        "no nodes in the file"
    );
    assert_eq!(overridden(&profile(&["nodes.count=8"])), None, "no file");
    assert_eq!(scaled("- broken\n", &["nodes.count=8"]), None);
}
