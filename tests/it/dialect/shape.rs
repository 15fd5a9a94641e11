//! One script, sent to a real HAProxy and to our data plane. The answers are equal except for the
//! figures.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clusterctl::dataplane_config::{
    Dataplane, DataplaneBackend, DataplaneCheck, DataplaneFrontend, DataplaneQuestion, DataplaneServer,
    DataplaneTimeouts,
};
use clusterctl::haproxy_api::server::pages::Site;
use clusterctl::haproxy_api::server::{FrontendFigures, Health, Level, ProcessFigures, Proxies};
use clusterctl::profile::{Algorithm, PerIp, Table};

use super::fake::{Fake, backend, checked, server};
use super::script::SCRIPT;
use super::talk::{Talker, pages};
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
    // Comments are compared whole, samples by names and labels. HAProxy's page is an HTTP frontend.
    let http = ["http_", "intercepted"];
    let shape = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| line.starts_with('#') || line.starts_with("haproxy_"));
        let lines = lines.filter(|line| !line.contains("proxy=\"page\"") && !line.contains("build_info{"));
        lines
            .filter(|line| {
                !http
                    .iter()
                    .any(|word| line.contains(&format!("haproxy_frontend_{word}")))
            })
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
}

impl Servers {
    fn new() -> Servers {
        Servers {
            listening: std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap()),
            dead: free_port(),
            front: free_port(),
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
        let (one, three, dead, front) = (self.port(0), self.port(1), self.dead, self.front);
        let config = |socket: &Path| {
            format!(
                "global\n maxconn 1000\n stats socket {} mode 600 level admin\n node shape\n\
                 defaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n\
                 frontend fe\n bind 127.0.0.1:{front}\n stick-table type ipv6 size 1000 expire 10s store conn_cur\n \
                 tcp-request connection track-sc0 src\n default_backend be\n\
                 backend be\n balance leastconn\n stick-table type ipv6 size 1k expire 30m\n stick on src\n \
                 server s1 127.0.0.1:{one} check inter 1s rise 2 fall 3 weight 100 maxconn 100\n \
                 server s2 127.0.0.1:{dead} check inter 1s rise 2 fall 3 weight 100 maxconn 100\n \
                 server s3 127.0.0.1:{three} check inter 1s rise 2 fall 3 weight 100\n\
                 backend free\n balance roundrobin\n server s1 127.0.0.1:{one} weight 100\n{more}",
                socket.display()
            )
        };
        let haproxy = Talker::process(Path::new("haproxy"), &["-db", "-f"], config);
        when_checked(haproxy)
    }

    /// `clusterctl dataplane` in front of the servers, after its checks have a result.
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
        };
        let plain = |name: &str| DataplaneBackend {
            name: name.to_owned(),
            algorithm: Algorithm::Roundrobin,
            sticky: None,
            queue: 100,
            slowstart: Duration::ZERO.into(),
            check: None,
            eject_after: 0,
            servers: Vec::new(),
        };
        let second = Duration::from_secs(1).into();
        let config = |socket: &Path| Dataplane {
            cluster: "shape".to_owned(),
            workers: threads(),
            maxconn: 1_000,
            socket: socket.to_owned(),
            memory: None,
            drained: None,
            down: None,
            stats: None,
            status: None,
            sources: Vec::new(),
            check_source: None,
            timeouts: DataplaneTimeouts {
                connect: second,
                client: second,
                server: second,
                queue: second,
            },
            frontends: vec![DataplaneFrontend {
                name: "fe".to_owned(),
                listen: vec![SocketAddr::from(([127, 0, 0, 1], free_port()))],
                maxconn: 0,
                backend: "be".to_owned(),
                limits: PerIp {
                    connections: 100,
                    connection_rate: 100,
                    message_rate: 0,
                    exempt: BTreeSet::new(),
                },
            }],
            backends: vec![
                DataplaneBackend {
                    algorithm: Algorithm::Leastconn,
                    sticky: Some(Table {
                        size: 1_024.into(),
                        expire: Duration::from_mins(30).into(),
                    }),
                    check: Some(DataplaneCheck {
                        interval: second,
                        fast_interval: second,
                        timeout: second,
                        rise: 2,
                        fall: 3,
                    }),
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
        let mut be = backend("be", 3, servers);
        be.algorithm = Algorithm::Leastconn;
        let free = backend("free", 4, vec![server("s1", 1, self.port(0), 100, 0)]);
        let frontend = FrontendFigures {
            name: "fe".to_owned(),
            id: 2,
            backend: "be".to_owned(),
            ..FrontendFigures::default()
        };
        let process = ProcessFigures {
            threads: threads().into(),
            hard_maxconn: 1_000,
            ..ProcessFigures::default()
        };
        let proxies = Proxies {
            frontends: vec![frontend],
            backends: vec![be, free],
        };
        Fake::new(process, proxies)
            .with_table("fe", 1_000, Vec::new())
            .with_table("be", 1_024, Vec::new())
    }
}

/// The answer once the checks have a result: two servers up, one down.
fn when_checked(talker: Talker) -> Talker {
    eventually("checks", || {
        let rows = talker.ask("show stat");
        let results = [",L4OK,", ",L4CON,", ",DOWN,"].map(|result| rows.matches(result).count());
        (results == [2, 1, 1]).then_some(())
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
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
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
