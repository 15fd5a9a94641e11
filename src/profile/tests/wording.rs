//! The messages that users read.

use insta::assert_snapshot;

use super::{file, problems, sets};

#[test]
fn colliding_ports_are_both_shown() {
    let problems = problems(&file("nodes: {http_port: 8080}\n"));
    assert_snapshot!(problems, @r#"
    error: the http listener and node erlmcp1 both use port 8080
      --> p.yaml:1:20
       |
     1 | nodes: {http_port: 8080}
       |                    ^^^^ node erlmcp1 on 127.0.0.1:8080
       |
      ::: profile default:46:9
       |
    46 |   http: 8080                          # MCP over HTTP: `routing.paths`
       |         ^^^^ the http listener on 0.0.0.0:8080
    hint: give `nodes.http_port` or `listen.http` another port
    "#);
}

#[test]
fn unknown_keys_are_reported_with_suggestions() {
    let problems = problems(&file("nodes:\n  conut: 3\ncount: 2\n"));
    assert_snapshot!(problems, @r#"
    error: unknown key `nodes.conut`
     --> p.yaml:2:3
      |
    2 |   conut: 3
      |   ^^^^^
    hint: did you mean `nodes.count`?

    error: unknown key `count`
     --> p.yaml:3:1
      |
    3 | count: 2
      | ^^^^^
    hint: did you mean `nodes.count`?
    "#);
}

#[test]
fn a_duplicate_is_shown_with_the_first() {
    let problems = problems(&file("nodes:\n  count: 1\n  count: 2\n"));
    assert_snapshot!(problems, @r#"
    error: the key `nodes.count` is given twice
     --> p.yaml:3:3
      |
    2 |   count: 1
      |   ----- first
    3 |   count: 2
      |   ^^^^^ again
    hint: leave one of them out
    "#);
}

#[test]
fn a_set_is_shown_as_it_was_given() {
    let problems = problems(&sets(&["nodes.count=0", "nodes.tcp_prt=1"]));
    assert_snapshot!(problems, @r#"
    error: unknown key `nodes.tcp_prt`
     --> command line:1:13
      |
    1 | --set nodes.tcp_prt=1
      |             ^^^^^^^
    hint: did you mean `nodes.tcp_port`?

    error: `nodes.count` cannot be 0
     --> command line:1:19
      |
    1 | --set nodes.count=0
      |                   ^
    hint: it is 1 to 1000
    "#);
}

#[test]
fn an_empty_profile() {
    let problems = problems(&file(""));
    assert_snapshot!(problems, @r#"
    error: the profile is empty
     --> p.yaml:1:1
      |
    1 |
      | ^
    hint: write only what differs from the default, such as `cluster: mine`; `clusterctl profile show default` lists every key
    "#);
}

#[test]
fn a_list() {
    let problems = problems(&file("- a\n"));
    assert_snapshot!(problems, @r#"
    error: a profile is a map of keys, and this is a list
     --> p.yaml:1:1
      |
    1 | - a
      | ^
    hint: write only what differs from the default, such as `cluster: mine`; `clusterctl profile show default` lists every key
    "#);
}

#[test]
fn a_tab() {
    let problems = problems(&file("nodes:\n\tcount: 1\n"));
    assert_snapshot!(problems, @r#"
    error: a tab cannot indent YAML
     --> p.yaml:2:1
      |
    2 |     count: 1
      | ^^^^
    hint: use spaces
    "#);
}

#[test]
fn an_open_bracket() {
    let problems = problems(&file("nodes: {count: [1\n"));
    assert_snapshot!(problems, @r#"
    error: not valid YAML: while parsing a flow sequence, expected ',' or ']'
     --> p.yaml:1:19
      |
    1 | nodes: {count: [1
      |                  ^
    "#);
}

#[test]
fn a_map_that_is_null() {
    let problems = problems(&file("nodes: null\n"));
    assert_snapshot!(problems, @r#"
    error: `nodes`: nothing (null), expected a map
     --> p.yaml:1:8
      |
    1 | nodes: null
      |        ^^^^
    hint: leave `nodes` out to take its defaults
    "#);
}

#[test]
fn a_list_without_brackets() {
    let problems = problems(&file("listen: {address: \"::1\"}\n"));
    assert_snapshot!(problems, @r#"
    error: `listen.address`: "::1", expected a list
     --> p.yaml:1:19
      |
    1 | listen: {address: "::1"}
      |                   ^^^^^
    hint: write it as a list: `["::1"]`
    "#);
}

#[test]
fn a_value_against_a_default() {
    let problems = problems(&file("nodes: {target: 50000}\n"));
    assert_snapshot!(problems, @r#"
    error: a node should hold 50000 connections, but its limit is 35000
      --> p.yaml:1:17
       |
     1 | nodes: {target: 50000}
       |                 ^^^^^
       |
      ::: profile default:21:12
       |
    21 |   maxconn: 35000                      # its hard limit: its share when one of four nodes is dead, plus 5 %
       |            ^^^^^
    hint: set `nodes.maxconn` a third above `nodes.target`, so that three of four nodes can hold all connections
    "#);
}

#[test]
fn values_of_the_wrong_type() {
    let problems = problems(&file(
        "health: {interval: soon, kind: htpp}\nlisten: {stats: 8404}\n",
    ));
    assert_snapshot!(problems, @r#"
    error: `listen.stats`: `8404`, expected an address with a port, such as `127.0.0.1:8404` or `[::1]:8404`
     --> p.yaml:2:17
      |
    2 | listen: {stats: 8404}
      |                 ^^^^
    hint: the default is `127.0.0.1:8404`

    error: `health.kind`: `htpp`, expected one of `auto`, `tcp`, `mcp`, `http`
     --> p.yaml:1:32
      |
    1 | health: {interval: soon, kind: htpp}
      |                                ^^^^
    hint: did you mean `http`?

    error: `health.interval`: `soon` is not a duration such as `500ms`, `5s`, `2m` or `1h`
     --> p.yaml:1:20
      |
    1 | health: {interval: soon, kind: htpp}
      |                    ^^^^
    hint: the default is `3s`
    "#);
}

#[test]
fn an_incomplete_member() {
    let problems = problems(&file("nodes: {members: [{name: a}], runtime: external}\n"));
    assert_snapshot!(problems, @r#"
    error: node a has no port
     --> p.yaml:1:26
      |
    1 | nodes: {members: [{name: a}], runtime: external}
      |                          ^
    hint: give it a `tcp_port`, an `http_port`, or both

    error: node a has no address
     --> p.yaml:1:26
      |
    1 | nodes: {members: [{name: a}], runtime: external}
      |                          ^
    hint: give it the `address` at which this host reaches it
    "#);
}

#[test]
fn an_anchor() {
    let problems = problems(&file("nodes: &x {}\n"));
    assert_snapshot!(problems, @r#"
    error: a profile has no anchors and aliases: write the value out
     --> p.yaml:1:8
      |
    1 | nodes: &x {}
      |        ^
    "#);
}
