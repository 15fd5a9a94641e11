use super::*;

/// A file from before HTTP: two addresses, one server.
const TCP: &str = "
cluster: erlmcp
workers: 1
maxconn: 10
socket: /run/x/dataplane.sock
timeouts: {connect: 5s, client: 5m, server: 5m, queue: 30s}
frontends:
- {name: tcp, listen: ['127.0.0.1:8000'], backend: nodes, limits: &limits {connections: 0, connection_rate: 0, message_rate: 0, exempt: []}}
backends:
- {name: nodes, algorithm: roundrobin, servers: [&server {name: a, id: 1, address: '127.0.0.1:8081', weight: 1, maxconn: 0, question: tcp}]}
";

/// What HTTP adds, after these lines of [`TCP`].
fn http() -> String {
    let paths = "{mcp: [/mcp], sse: [/sse], websocket: [/ws], other: []}";
    let frontend = format!(
        "- {{name: http, listen: ['127.0.0.1:8080'], backend: requests, limits: *limits, \
         http: {{paths: {paths}, websocket: sockets, sse: streams}}}}\nbackends:"
    );
    let backend = |name: &str, more: &str| {
        format!("- {{name: {name}, algorithm: roundrobin, {more}, servers: [*server]}}\n")
    };
    let backends = [
        backend("requests", "http: {cookie: BALANCER, follows_sessions: true}"),
        backend("sockets", "track: requests, http: {stream: true}"),
        backend("streams", "track: requests, http: {stream: true}"),
    ];
    TCP.replacen("backends:", &frontend, 1) + &backends.concat()
}

fn problem(text: &str) -> String {
    Dataplane::parse(text).unwrap_err().to_string()
}

#[test]
fn a_file_without_http_gets_the_defaults() {
    let config = Dataplane::parse(TCP).unwrap();
    assert_eq!(config.http, DataplaneHttp::default());
    assert_eq!(config.http.head.to_string(), "32kB");
    assert_eq!(config.timeouts.node_keep_alive.to_string(), "4s");
    assert_eq!(
        (&config.frontends[0].http, &config.backends[0].http),
        (&None, &None)
    );
}

#[test]
fn a_file_with_http_is_written_as_it_was_read() {
    let config = Dataplane::parse(&http()).unwrap();
    assert_eq!(Dataplane::parse(&config.to_yaml()), Ok(config.clone()));
    let routes = config.frontends[1].http.as_ref().unwrap();
    assert_eq!((routes.only, routes.sse.as_str()), (None, "streams"));
    let requests = config.backends[1].http.as_ref().unwrap();
    assert!(requests.follows_sessions && !requests.names_sessions && !requests.stream);
}

#[test]
fn contradictions_are_reported() {
    for (from, to, expected) in [
        (
            "sse: streams",
            "sse: brooks",
            "frontend `http` is served by backend `brooks`, which is not there",
        ),
        (
            "sse: streams",
            "sse: nodes",
            "frontend `http` has `http`, and its backend `nodes` has not",
        ),
        (
            "backend: nodes",
            "backend: sockets",
            "backend `sockets` has `http`, and its frontend `tcp` has not",
        ),
        (
            "track: requests",
            "track: nobody",
            "backend `sockets` tracks backend `nobody`, which is not there",
        ),
        (
            "name: streams, algorithm: roundrobin, track: requests",
            "name: streams, algorithm: roundrobin, track: sockets",
            "backend `streams` tracks backend `sockets`, which tracks another one",
        ),
        (
            "name: nodes, algorithm: roundrobin",
            "name: nodes, algorithm: uri",
            "backend `nodes` cannot balance by `uri` without `http`",
        ),
        (
            "cookie: BALANCER",
            "cookie: 'a;b'",
            "backend `requests` has a cookie `a;b`, which is not a name",
        ),
        (
            "mcp: [/mcp]",
            "mcp: [mcp]",
            "frontend `http` has the path `mcp`; paths begin with `/`",
        ),
        (
            "cluster: erlmcp",
            "cluster: erlmcp\nhttp: {head: 0}",
            "`http.head` must be at least 1",
        ),
        (
            "http: {stream: true}",
            "eject_errors: 0, http: {stream: true}",
            "backend `sockets` has an `eject_errors` of 0",
        ),
    ] {
        let text = http().replacen(from, to, 1);
        assert_eq!(problem(&text), expected, "{text}");
    }
}

#[test]
fn servers_that_a_tracked_backend_lacks_are_reported() {
    let text = http().replacen(
        "track: requests, http: {stream: true}, servers: [*server]",
        "track: requests, check: {interval: 1s, fast_interval: 1s, timeout: 1s, rise: 1, fall: 1}, http: {}, \
         servers: [{name: b, id: 1, address: '127.0.0.1:8081', weight: 1, maxconn: 0, question: discover}]",
        1,
    );
    assert_eq!(
        problem(&text),
        "backend `sockets` tracks backend `requests`, which has no server `b`\n\
         backend `sockets` has a `check`, and tracks backend `requests`"
    );
}

#[test]
fn unknown_keys_are_refused() {
    for (from, to) in [
        ("http: {stream: true}", "http: {streams: true}"),
        ("sse: streams", "sse: streams, ssh: x"),
    ] {
        assert!(problem(&http().replacen(from, to, 1)).contains("unknown field"));
    }
}
