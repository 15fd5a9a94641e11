//! The paths of a profile are a contract, and the default profile keeps it.

use serde_yaml::Value;

use super::{cluster, sets};
use crate::profile::spans::join;
use crate::profile::{DEFAULT, Source, embedded, load, schema};

/// The skeleton that every profile follows.
const SKELETON: &str = r#"
cluster: erlmcp
balancer: builtin
nodes:
  runtime: embedded
  count: 4
  name: "erlmcp{n}"
  address: 127.0.0.1
  tcp_port: 9001
  http_port: 8081
  target: 25000
  maxconn: 35000
  weight: 100
  restart: {backoff: 100ms..30s, give_up_after: 10, forget_after: 60s, hung_after: 30s}
  command: null
  environment: {}
  environment_file: null
  directory: null
  path: null
  eval: 'clusterctl_door:open("{name}", "{address}", {tcp_port})'
  config: null
  members: []
  erlang: {distribution_port: 9101, busy_wait: none, fullsweep_after: 10, idle_after: 1s, arguments: []}
listen:
  address: ["0.0.0.0", "::"]
  tcp: 8000
  http: 8080
  websocket: 8001
  sse: 8002
  https: null
  trusted: []
  stats: 127.0.0.1:8404
  status: 127.0.0.1:8888
  observe: 127.0.0.1:8405
routing:
  paths:
    mcp: [/mcp]
    sse: [/mcp/sse, /sse, /messages]
    websocket: [/mcp/ws]
    other: [/health, /.well-known/oauth-protected-resource, /.well-known/oauth-authorization-server, /.well-known/openid-configuration]
  tcp:       {algorithm: roundrobin, sticky: source}
  http:      {algorithm: roundrobin, sticky: cookie}
  websocket: {algorithm: leastconn,  sticky: source}
  sse:       {algorithm: leastconn,  sticky: source}
  table: {size: 200k, expire: 30m}
  cookie: SERVERID
  max_age: null
limits:
  maxconn: 100000
  head: 32kB
  body: null
  per_ip: {connections: 100, connection_rate: 100, message_rate: 100, exempt: []}
health: {kind: auto, path: /health, interval: 3s, timeout: 3s, rise: 2, fall: 2, eject: null}
timeouts: {connect: 5s, client: 5m, server: 5m, queue: 30s, check: 3s, http_request: 30s, keep_alive: 5m, node_keep_alive: 4s, tunnel: 1h}
rollout: {canary: 1, batch: 1, hold: 10s, max_errors: 1%, max_p99: null}
tls: null
access_log: null
targets: {tolerance: 2%, band: 20%, variance: 5%, latency_variance: 10%, p99: 20ms, failover: 5s, failover_alert: 15s}
binaries: {haproxy: null, nginx: null, erl: null}
"#;

fn skeleton() -> Value {
    serde_yaml::from_str(SKELETON).unwrap()
}

/// Every path of `value`, both of maps and of their values.
fn paths(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    if !path.is_empty() {
        found.push((path.to_owned(), value.clone()));
    }
    for (key, below) in value.as_mapping().into_iter().flatten() {
        paths(below, &join(path, key.as_str().unwrap()), found);
    }
}

#[test]
fn the_default_profile_is_the_skeleton() {
    let default: Value = serde_yaml::from_str(embedded(DEFAULT).unwrap()).unwrap();
    assert_eq!(default, skeleton());
}

#[test]
fn every_path_can_be_set_to_its_own_value() {
    let mut found = Vec::new();
    paths(&skeleton(), "", &mut found);
    assert!(found.len() > 70);
    let expected = serde_json::to_value(cluster(&sets(&[]))).unwrap();
    let mut all = Vec::new();
    for (path, value) in found {
        // JSON is YAML on one line.
        let set = format!("{path}={}", serde_json::to_string(&value).unwrap());
        let cluster = cluster(&sets(&[&set]));
        assert_eq!(serde_json::to_value(cluster).unwrap(), expected, "--set {set}");
        all.push(set);
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(serde_json::to_value(cluster(&sets(&all))).unwrap(), expected);
}

#[test]
fn every_key_of_the_schema_is_in_the_default_profile() {
    let mut found = Vec::new();
    paths(&skeleton(), "", &mut found);
    let mut found: Vec<_> = found.into_iter().map(|(path, _)| path).collect();
    found.extend(["tls.certificate", "tls.key", "tls.self_signed"].map(str::to_owned));
    found.sort();
    assert_eq!(crate::profile::schema::paths(&schema()), found);
}

#[test]
fn every_embedded_profile_is_a_consistent_cluster() {
    for (name, _) in crate::profile::EMBEDDED {
        load(&Source::read(name).unwrap()).unwrap();
    }
}

#[test]
fn the_default_cluster_is_four_nodes_side_by_side() {
    let cluster = cluster(&sets(&[]));
    let nodes: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| format!("{} {} {}", node.name, node.tcp.unwrap(), node.http.unwrap()))
        .collect();
    assert_eq!(
        nodes,
        [
            "erlmcp1 127.0.0.1:9001 127.0.0.1:8081",
            "erlmcp2 127.0.0.1:9002 127.0.0.1:8082",
            "erlmcp3 127.0.0.1:9003 127.0.0.1:8083",
            "erlmcp4 127.0.0.1:9004 127.0.0.1:8084",
        ]
    );
}
