//! One script, sent to a real HAProxy and to our data plane. The answers are equal except for the
//! figures.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clusterctl::dataplane_config::{
    Dataplane, DataplaneBackend, DataplaneCheck, DataplaneFrontend, DataplaneHttp, DataplaneHttpBackend,
    DataplaneQuestion, DataplaneRoutes, DataplaneServer, DataplaneTimeouts,
};
use clusterctl::haproxy_api::Row;
use clusterctl::haproxy_api::server::pages::Site;
use clusterctl::haproxy_api::server::{
    BackendFigures, FrontendFigures, Health, HttpFigures, Level, ProcessFigures, Proxies, TrackedFigures,
};
use clusterctl::profile::{Algorithm, Paths, PerIp, Table};

use super::fake::{Fake, backend, checked, server};
use super::script::SCRIPT;
use super::talk::{Talker, pages};
use crate::haproxy::running::free_ports;
use crate::harness::eventually;

#[test]
fn runtime_api_answers_have_haproxys_shape() {
    let servers = Servers::new();
    let ours = Talker::about(Arc::new(servers.figures()), Level::Admin);
    compare(&servers.haproxy(), &ours);
}

#[test]
fn the_data_plane_has_haproxys_shape() {
    let servers = Servers::new();
    let haproxy = servers.haproxy();
    compare(&haproxy, &servers.dataplane());
}

#[test]
fn our_metrics_have_haproxys_names() {
    let servers = Servers::new();
    let port = free_port();
    let _haproxy = servers.haproxy_with(&format!(
        "frontend page\n mode http\n bind 127.0.0.1:{port}\n \
         http-request use-service prometheus-exporter if {{ path /metrics }}\n"
    ));
    let theirs = get(port, "/metrics");
    let (port, _runtime, _trigger) = pages(Arc::new(servers.figures()), Site::Stats);
    let ours = get(port, "/metrics");
    // Comments are compared whole, samples by names and labels. HAProxy's page is a frontend, too.
    let shape = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| line.starts_with('#') || line.starts_with("haproxy_"));
        let lines = lines.filter(|line| !line.contains("proxy=\"page\"") && !line.contains("build_info{"));
        lines
            .map(|line| {
                if line.starts_with('#') {
                    line
                } else {
                    line.rsplit_once(' ').unwrap().0
                }
            })
            .map(str::to_owned)
            .collect()
    };
    let (ours, theirs) = (shape(&ours), shape(&theirs));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 400, "{}", ours.len());
}

#[test]
fn trackers_have_haproxys_states() {
    /// The bit of `srv_check_state` of a check in progress.
    const IN_PROGRESS: u32 = 1;
    let servers = Servers::new();
    let (haproxy, ours) = (servers.haproxy(), servers.dataplane());
    // The server's status, its operational and its administrative state.
    let state = |talker: &Talker| {
        let rows = Row::parse(talker.ask("show stat shadow 4 1").trim_end()).unwrap();
        let states = talker.ask("show servers state shadow");
        let words: Vec<&str> = states.lines().nth(2).unwrap().split(' ').collect();
        [rows[0].text("status"), words[5], words[6]].map(str::to_owned)
    };
    for (command, expected) in [
        ("set server web/s1 health up", ["UP", "2", "0"]),
        ("set server shadow/s1 health down", ["UP", "2", "0"]),
        ("set server shadow/s1 state drain", ["DRAIN", "2", "8"]),
        ("set server web/s1 state drain", ["DRAIN", "2", "24"]),
        ("set server shadow/s1 state ready", ["DRAIN", "2", "16"]),
        ("set server web/s1 state maint", ["MAINT (via web/s1)", "0", "2"]),
        (
            "set server shadow/s1 state maint",
            ["MAINT (via web/s1)", "0", "3"],
        ),
        ("set server web/s1 state ready", ["MAINT", "0", "1"]),
        ("set server web/s1 health down", ["MAINT", "0", "1"]),
        ("disable health web/s1", ["MAINT", "0", "1"]),
        ("set server web/s1 health down", ["MAINT", "0", "1"]),
        ("set server shadow/s1 state ready", ["DOWN", "0", "0"]),
    ] {
        assert_eq!(haproxy.ask(command), ours.ask(command), "{command}");
        if command.starts_with("disable health") {
            // A check in progress would change the health after the next command.
            for talker in [&haproxy, &ours] {
                eventually("the end of the check in progress", || {
                    let states = talker.ask("show servers state web");
                    let check_state = states.lines().nth(2)?.split(' ').nth(13)?;
                    (check_state.parse::<u32>().ok()? & IN_PROGRESS == 0).then_some(())
                });
            }
        }
        assert_eq!(state(&haproxy), expected, "HAProxy: {command}");
        assert_eq!(state(&ours), expected, "{command}");
    }
}

/// Sends the whole script to both, and reports all differences at once.
fn compare(haproxy: &Talker, ours: &Talker) {
    let mut differences = Vec::new();
    for (command, same) in SCRIPT {
        let (theirs, ours) = (haproxy.ask(command), ours.ask(command));
        let (theirs, ours) = (same.shape(&theirs), same.shape(&ours));
        let mut differing = theirs.iter().zip(&ours).filter(|(theirs, ours)| theirs != ours);
        if let Some((theirs, ours)) = differing.next() {
            differences.push(format!("### {command}\nHAProxy: {theirs}\nours:    {ours}\n"));
        } else if theirs.len() != ours.len() {
            differences.push(format!(
                "### {command}\nHAProxy: {theirs:#?}\nours:    {ours:#?}\n"
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Two servers that listen, one that does not.
struct Servers {
    listening: [TcpListener; 2],
    dead: u16,
    front: u16,
    web: u16,
}

impl Servers {
    fn new() -> Servers {
        Servers {
            listening: std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap()),
            dead: free_port(),
            front: free_port(),
            web: free_port(),
        }
    }

    fn port(&self, index: usize) -> u16 {
        self.listening[index].local_addr().unwrap().port()
    }

    fn haproxy(&self) -> Talker {
        self.haproxy_with("")
    }

    /// HAProxy in front of the servers, after its checks have a result.
    fn haproxy_with(&self, more: &str) -> Talker {
        let (one, three, dead) = (self.port(0), self.port(1), self.dead);
        let (front, web) = (self.front, self.web);
        let config = |socket: &Path| {
            format!(
                "global\n maxconn 1000\n stats socket {} mode 600 level admin\n node shape\n\
                 defaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n\
                 frontend fe\n bind 127.0.0.1:{front}\n stick-table type ipv6 size 1000 expire 10s store conn_cur\n \
                 tcp-request connection track-sc0 src\n default_backend be\n\
                 frontend web_fe\n mode http\n bind 127.0.0.1:{web}\n \
                 stick-table type ipv6 size 1000 expire 10s store conn_cur\n \
                 tcp-request connection track-sc0 src\n default_backend web\n\
                 backend be\n balance leastconn\n stick-table type ipv6 size 1k expire 30m\n stick on src\n \
                 server s1 127.0.0.1:{one} check inter 1s rise 2 fall 3 weight 100 maxconn 100\n \
                 server s2 127.0.0.1:{dead} check inter 1s rise 2 fall 3 weight 100 maxconn 100\n \
                 server s3 127.0.0.1:{three} check inter 1s rise 2 fall 3 weight 100\n\
                 backend free\n balance roundrobin\n server s1 127.0.0.1:{one} weight 100\n\
                 backend web\n mode http\n balance roundrobin\n cookie SERVERID insert indirect nocache\n \
                 server s1 127.0.0.1:{one} cookie s1 check inter 1s rise 2 fall 3 weight 100\n\
                 backend shadow\n mode http\n balance leastconn\n server s1 127.0.0.1:{one} track web/s1 weight 100\n{more}",
                socket.display()
            )
        };
        let haproxy = Talker::process(Path::new("haproxy"), &["-db", "-f"], config);
        when_checked(haproxy)
    }

    /// `clusterctl dataplane` in front of the servers, after its checks have a result.
    #[expect(clippy::too_many_lines, reason = "a table of figures")]
    fn dataplane(&self) -> Talker {
        let server = |name: &str, id, port, maxconn| DataplaneServer {
            name: name.to_owned(),
            id,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            weight: 100,
            maxconn,
            question: DataplaneQuestion::Tcp,
            check_address: None,
            check_path: "/health".to_owned(),
            added: None,
        };
        let plain = |name: &str| DataplaneBackend {
            name: name.to_owned(),
            algorithm: Algorithm::Roundrobin,
            http: None,
            sticky: None,
            queue: 100,
            slowstart: Duration::ZERO.into(),
            check: None,
            track: None,
            eject_after: 0,
            eject_errors: None,
            servers: Vec::new(),
        };
        let second = Duration::from_secs(1).into();
        let check = DataplaneCheck {
            interval: second,
            fast_interval: second,
            timeout: second,
            rise: 2,
            fall: 3,
        };
        let frontend = |name: &str, backend: &str, http| DataplaneFrontend {
            name: name.to_owned(),
            listen: vec![SocketAddr::from(([127, 0, 0, 1], free_port()))],
            maxconn: 0,
            backend: backend.to_owned(),
            http,
            limits: PerIp {
                connections: 100,
                connection_rate: 100,
                message_rate: 0,
                exempt: BTreeSet::new(),
            },
        };
        let config = |socket: &Path| Dataplane {
            cluster: "shape".to_owned(),
            workers: threads(),
            maxconn: 1_000,
            socket: socket.to_owned(),
            listeners: None,
            memory: None,
            drained: None,
            down: None,
            stopping: None,
            stats: None,
            status: None,
            sources: Vec::new(),
            check_source: None,
            http: DataplaneHttp::default(),
            timeouts: DataplaneTimeouts {
                connect: second,
                client: second,
                server: second,
                queue: second,
                http_request: DataplaneTimeouts::default_http_request(),
                keep_alive: DataplaneTimeouts::default_keep_alive(),
                node_keep_alive: DataplaneTimeouts::default_node_keep_alive(),
                tunnel: DataplaneTimeouts::default_tunnel(),
                max_age: None,
            },
            frontends: vec![
                frontend("fe", "be", None),
                frontend(
                    "web_fe",
                    "web",
                    Some(DataplaneRoutes {
                        paths: Paths {
                            mcp: vec!["/".to_owned()],
                            sse: Vec::new(),
                            websocket: Vec::new(),
                            other: Vec::new(),
                        },
                        only: None,
                        websocket: "shadow".to_owned(),
                        sse: "shadow".to_owned(),
                    }),
                ),
            ],
            backends: vec![
                DataplaneBackend {
                    algorithm: Algorithm::Leastconn,
                    sticky: Some(Table {
                        size: 1_024.into(),
                        expire: Duration::from_mins(30).into(),
                    }),
                    check: Some(check),
                    servers: vec![
                        server("s1", 1, self.port(0), 100),
                        server("s2", 2, self.dead, 100),
                        server("s3", 3, self.port(1), 0),
                    ],
                    ..plain("be")
                },
                DataplaneBackend {
                    servers: vec![server("s1", 1, self.port(0), 0)],
                    ..plain("free")
                },
                DataplaneBackend {
                    http: Some(DataplaneHttpBackend {
                        cookie: Some("SERVERID".to_owned()),
                        ..DataplaneHttpBackend::default()
                    }),
                    check: Some(check),
                    servers: vec![server("s1", 1, self.port(0), 0)],
                    ..plain("web")
                },
                DataplaneBackend {
                    algorithm: Algorithm::Leastconn,
                    http: Some(DataplaneHttpBackend::default()),
                    track: Some("web".to_owned()),
                    servers: vec![server("s1", 1, self.port(0), 0)],
                    ..plain("shadow")
                },
            ],
        };
        let program = Path::new(env!("CARGO_BIN_EXE_clusterctl"));
        let config = |socket: &Path| config(socket).to_yaml();
        when_checked(Talker::process(program, &["dataplane", "--config"], config))
    }

    /// The answer to `show stat` as figures.
    fn figures(&self) -> Fake {
        let mut two = checked(server("s2", 2, self.dead, 100, 100), "L4CON", 0);
        two.health = Health::Down;
        let servers = vec![
            checked(server("s1", 1, self.port(0), 100, 100), "L4OK", 4),
            two,
            checked(server("s3", 3, self.port(1), 100, 0), "L4OK", 4),
        ];
        let mut be = backend("be", 4, servers);
        be.algorithm = Algorithm::Leastconn;
        let free = backend("free", 5, vec![server("s1", 1, self.port(0), 100, 0)]);
        let one = || server("s1", 1, self.port(0), 100, 0);
        let mut web = over_http(backend("web", 6, vec![checked(one(), "L4OK", 4)]));
        web.cookie = Some("SERVERID".to_owned());
        web.servers[0].cookie = Some("s1".to_owned());
        let mut shadow = over_http(backend("shadow", 7, vec![one()]));
        shadow.algorithm = Algorithm::Leastconn;
        shadow.servers[0].tracked = Some(TrackedFigures {
            name: "web/s1".to_owned(),
            check: web.servers[0].check.clone(),
        });
        let frontend = |name: &str, id, backend: &str, http| FrontendFigures {
            name: name.to_owned(),
            id,
            backend: backend.to_owned(),
            http,
            ..FrontendFigures::default()
        };
        let frontends = vec![
            frontend("fe", 2, "be", None),
            frontend("web_fe", 3, "web", Some(HttpFigures::default())),
        ];
        let process = ProcessFigures {
            threads: threads().into(),
            hard_maxconn: 1_000,
            ..ProcessFigures::default()
        };
        let proxies = Proxies {
            frontends,
            backends: vec![be, free, web, shadow],
        };
        Fake::new(process, proxies)
            .with_table("fe", 1_000, Vec::new())
            .with_table("web_fe", 1_000, Vec::new())
            .with_table("be", 1_024, Vec::new())
    }
}

/// A backend whose servers speak HTTP.
fn over_http(mut backend: BackendFigures) -> BackendFigures {
    let servers = backend.servers.iter_mut().map(|server| &mut server.traffic);
    for traffic in servers.chain([&mut backend.traffic]) {
        traffic.http = Some(HttpFigures::default());
    }
    backend
}

/// The answer once the checks have a result: three servers up, one down.
fn when_checked(talker: Talker) -> Talker {
    eventually("checks", || {
        let rows = talker.ask("show stat");
        let results = [",L4OK,", ",L4CON,", ",DOWN,"].map(|result| rows.matches(result).count());
        (results == [3, 1, 1]).then_some(())
    });
    talker
}

/// HAProxy runs one thread for each core, and reports it.
fn threads() -> u16 {
    std::thread::available_parallelism()
        .unwrap()
        .get()
        .try_into()
        .unwrap()
}

fn free_port() -> u16 {
    let [port] = free_ports();
    port
}

fn get(port: u16, path: &str) -> String {
    let mut stream = eventually("the page is there", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
