//! HAProxy accepts the configuration of every kind of profile without a warning.

use clusterctl::platform::atomic_file;
use std::path::Path;

use clusterctl::balancer::{CheckError, Deployment};
use clusterctl::plan::Plan;
use clusterctl::platform::{Program, RunDir};
use clusterctl::profile::{Algorithm, Certificate, Cluster, HealthKind, Route, Sticky};
use clusterctl::render::Templates;

use super::{default_cluster, deployment, installed, plan};

/// Lets HAProxy check the default profile with changes.
async fn accepted(change: impl FnOnce(&mut Cluster, &mut Plan)) {
    let mut cluster = default_cluster();
    let mut plan = plan(&["0.0.0.0", "::"]);
    change(&mut cluster, &mut plan);
    let directory = tempfile::tempdir().unwrap();
    let haproxy = installed(&cluster).await;
    let run_dir = RunDir::at(directory.path());
    let checked = haproxy.check(deployment(&cluster, &plan, &run_dir)).await;
    match checked {
        Ok(warnings) => assert!(warnings.is_empty(), "{warnings:#?}"),
        Err(error) => {
            let files = haproxy.files(deployment(&cluster, &plan, &run_dir));
            panic!("{error}\n{}", files.unwrap()[0].content)
        }
    }
}

#[tokio::test]
async fn the_default_profile() {
    accepted(|_, _| {}).await;
    accepted(|_, plan| plan.balancer.maxconn = 100_000).await;
}

#[tokio::test]
async fn each_instance_binds_its_share_of_the_sockets_and_every_page_once() {
    let cluster = default_cluster();
    let mut plan = plan(&["127.0.0.1"]);
    (plan.balancer.instances, plan.balancer.sockets) = (2, 3);
    let haproxy = installed(&cluster).await;
    let directory = tempfile::tempdir().unwrap();
    let run_dir = RunDir::at(directory.path());
    let deployment = deployment(&cluster, &plan, &run_dir);
    assert_eq!(haproxy.check(deployment).await.unwrap(), Vec::<String>::new());
    let files = haproxy.files(deployment).unwrap();
    let count = |line: &str| {
        let binds = |file: &str| file.lines().filter(|it| it.trim() == line).count();
        [binds(&files[0].content), binds(&files[1].content)]
    };
    assert_eq!(count("bind 127.0.0.1:8000"), [2, 1]);
    assert_eq!(count("bind 127.0.0.1:8888"), [1, 1]);
}

#[tokio::test]
async fn slowstart_is_set_only_without_stickiness() {
    let mut cluster = default_cluster();
    cluster.routing.tcp.sticky = Sticky::None;
    let directory = tempfile::tempdir().unwrap();
    let haproxy = installed(&cluster).await;
    let run_dir = RunDir::at(directory.path());
    let files = haproxy.files(deployment(&cluster, &plan(&["0.0.0.0"]), &run_dir));
    let config = &files.unwrap()[0].content;
    let slow = |line: &&str| line.trim_start().starts_with("server ") && line.contains(" slowstart 10s");
    assert_eq!(
        config.lines().filter(slow).count(),
        cluster.nodes.len(),
        "{config}"
    );
}

#[tokio::test]
async fn http_backends_send_without_delay() {
    let cluster = default_cluster();
    let directory = tempfile::tempdir().unwrap();
    let haproxy = installed(&cluster).await;
    let run_dir = RunDir::at(directory.path());
    let files = haproxy.files(deployment(&cluster, &plan(&["0.0.0.0"]), &run_dir));
    let config = &files.unwrap()[0].content;
    let sections = config.split("\nbackend ").skip(1);
    let (http, tcp): (Vec<&str>, Vec<&str>) = sections.partition(|section| section.contains("mode http"));
    assert_eq!((http.len(), tcp.len()), (3, 1), "{config}");
    assert!(
        http.iter()
            .all(|section| section.contains("    option http-no-delay\n")),
        "{config}"
    );
}

#[tokio::test]
async fn each_backend_connects_from_an_address_of_its_own() {
    let sources = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
    let sources = sources.map(|address| address.parse().unwrap());
    accepted(|_, plan| plan.balancer.sources = sources.to_vec()).await;
    let cluster = default_cluster();
    let mut plan = plan(&["0.0.0.0"]);
    plan.balancer.sources = sources.to_vec();
    let directory = tempfile::tempdir().unwrap();
    let haproxy = installed(&cluster).await;
    let run_dir = RunDir::at(directory.path());
    let files = haproxy.files(deployment(&cluster, &plan, &run_dir));
    let config = &files.unwrap()[0].content;
    let named = config.lines().map(str::trim_start);
    let named: Vec<_> = named
        .filter(|line| line.starts_with("backend ") || line.starts_with("source "))
        .collect();
    assert_eq!(
        named,
        [
            "backend mcp_cluster_tcp",
            "source 127.0.0.2",
            "backend mcp_http_backend",
            "source 127.0.0.3",
            "backend mcp_websocket_backend",
            "source 127.0.0.4",
            "backend mcp_sse_backend",
            "source 127.0.0.5",
        ]
    );
}

#[tokio::test]
async fn several_processes_differ_in_files_source_and_order() {
    let several = |plan: &mut Plan| {
        plan.balancer.instances = 3;
        plan.balancer.sources = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
            .map(|ip| ip.parse().unwrap())
            .into();
    };
    accepted(|_, plan| several(plan)).await;
    let cluster = default_cluster();
    let mut plan = plan(&["0.0.0.0"]);
    several(&mut plan);
    let directory = tempfile::tempdir().unwrap();
    let haproxy = installed(&cluster).await;
    let run_dir = RunDir::at(directory.path());
    let files = haproxy.files(deployment(&cluster, &plan, &run_dir)).unwrap();
    let config = |index: usize| -> Vec<&str> { files[index].content.lines().map(str::trim_start).collect() };
    let first_server = |index| {
        let config = config(index);
        let server = config.iter().find(|line| line.starts_with("server ")).unwrap();
        server.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!([0, 1, 2].map(first_server), ["erlmcp1", "erlmcp2", "erlmcp3"]);
    for (index, source) in plan.balancer.sources.iter().enumerate() {
        let config = config(index);
        let line = format!("source {source}");
        let sources = config.iter().filter(|it| it.starts_with("source "));
        assert_eq!(sources.filter(|it| **it == line).count(), 4, "{config:#?}");
        let named = |what: &str| format!("haproxy-{}{what}", index + 1);
        for file in [named(".sock "), named(".state"), named("-peers.sock")] {
            assert!(files[index].content.contains(&file), "{file}");
        }
    }
    // Together they allow the maximum of a node, and a quarter more.
    assert!(
        config(0).iter().any(|line| line.contains(" maxconn 167 ")),
        "{:#?}",
        config(0)
    );
}

#[tokio::test]
async fn without_any_one_listener() {
    accepted(|cluster, _| cluster.listen.tcp = None).await;
    accepted(|cluster, _| cluster.listen.http = None).await;
    accepted(|cluster, _| cluster.listen.websocket = None).await;
    accepted(|cluster, _| cluster.listen.sse = None).await;
    accepted(|cluster, _| cluster.listen.stats = None).await;
    accepted(|cluster, _| cluster.listen.status = None).await;
}

#[tokio::test]
async fn nodes_without_http() {
    accepted(|cluster, _| {
        for node in &mut cluster.nodes {
            node.http = None;
        }
        cluster.listen.http = None;
        cluster.listen.websocket = None;
        cluster.listen.sse = None;
    })
    .await;
}

#[tokio::test]
async fn a_run_directory_with_blanks_in_its_name() {
    let cluster = default_cluster();
    let plan = plan(&["127.0.0.1"]);
    let haproxy = installed(&cluster).await;
    let directory = tempfile::tempdir().unwrap();
    let run_dir = RunDir::at(directory.path().join(r#"my "clusters"/a#1"#));
    run_dir.create().unwrap();
    let files = haproxy.files(deployment(&cluster, &plan, &run_dir)).unwrap();
    for file in &files {
        atomic_file::replace(&file.path, file.content.as_bytes(), atomic_file::PRIVATE).unwrap();
    }
    let socket = r#"/my\ \"clusters\"/a\#1/haproxy.sock mode 600"#;
    assert!(files[0].content.contains(socket), "{}", files[0].content);
    let checked = Program::new("/usr/sbin/haproxy")
        .args(["-c".as_ref(), "-f".as_ref(), files[0].path.as_os_str()])
        .output(std::time::Duration::from_mins(1))
        .await
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[tokio::test]
async fn every_algorithm_with_every_stickiness() {
    for algorithm in Algorithm::ALL {
        for sticky in [Sticky::None, Sticky::Source, Sticky::Cookie, Sticky::McpSession] {
            let route = Route { algorithm, sticky };
            accepted(|cluster, _| {
                let routing = &mut cluster.routing;
                (routing.http, routing.sse, routing.websocket) = (route, route, route);
                // Of a TCP client only the address is known.
                if !algorithm.needs_http() && matches!(sticky, Sticky::None | Sticky::Source) {
                    routing.tcp = route;
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn event_streams_that_follow_the_requests_stickiness() {
    for (http, sse) in [
        (Sticky::McpSession, Sticky::Source),
        (Sticky::McpSession, Sticky::Cookie),
        (Sticky::Cookie, Sticky::McpSession),
        (Sticky::Source, Sticky::McpSession),
        (Sticky::None, Sticky::Cookie),
    ] {
        accepted(|cluster, _| {
            cluster.routing.http.sticky = http;
            cluster.routing.sse.sticky = sse;
        })
        .await;
    }
}

#[tokio::test]
async fn every_kind_of_check() {
    for kind in [
        HealthKind::Auto,
        HealthKind::Tcp,
        HealthKind::Mcp,
        HealthKind::Http,
    ] {
        accepted(|cluster, _| cluster.health.kind = kind).await;
    }
}

#[tokio::test]
async fn every_kind_of_address() {
    for addresses in [&["127.0.0.1"][..], &["::1"], &["127.0.0.1", "127.0.0.2", "::"]] {
        accepted(|cluster, changed| {
            changed.addresses = plan(addresses).addresses;
            cluster.listen.stats = Some("[::1]:8404".parse().unwrap());
            cluster.nodes[0].tcp = Some("[::1]:9001".parse().unwrap());
            cluster.nodes[0].http = Some("[::1]:8081".parse().unwrap());
        })
        .await;
    }
}

#[tokio::test]
async fn limits_lifted_one_by_one() {
    accepted(|cluster, _| cluster.limits.per_ip.connections = 0).await;
    accepted(|cluster, _| cluster.limits.per_ip.connection_rate = 0).await;
    accepted(|cluster, _| cluster.limits.per_ip.message_rate = 0).await;
    accepted(|cluster, _| {
        let per_ip = &mut cluster.limits.per_ip;
        (per_ip.connections, per_ip.connection_rate, per_ip.message_rate) = (0, 0, 0);
    })
    .await;
    accepted(|cluster, _| {
        let exempt = &mut cluster.limits.per_ip.exempt;
        for network in ["10.0.0.0/8", "fd00::/8", "192.0.2.1"] {
            exempt.insert(network.parse().unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn many_paths_and_trusted_networks_and_any_size_of_heads() {
    accepted(|cluster, _| {
        let paths = &mut cluster.routing.paths;
        paths.other = (0..60).map(|number| format!("/other/{number}")).collect();
        paths.mcp = vec!["/".to_owned(), "/a'b$c(d)*".to_owned(), "/%20".to_owned()];
        paths.sse.clear();
        cluster.listen.sse = None;
        let networks = (0..60).map(|number| format!("10.{number}.0.0/16").parse().unwrap());
        cluster.listen.trusted = networks.chain(["fd00::/8".parse().unwrap()]).collect();
    })
    .await;
    for head in ["4kB", "5000", "1MB"] {
        accepted(|cluster, _| cluster.limits.head = head.parse().unwrap()).await;
    }
}

#[tokio::test]
async fn limits_of_bodies_and_of_errors() {
    accepted(|cluster, _| {
        cluster.limits.body = Some((1 << 40).into());
        cluster.health.eject = Some(1_000);
    })
    .await;
}

#[tokio::test]
async fn extreme_periods() {
    accepted(|cluster, _| {
        cluster.timeouts.tunnel = "365d".parse().unwrap();
        cluster.timeouts.connect = "1ms".parse().unwrap();
        cluster.health.interval = "10ms".parse().unwrap();
        cluster.timeouts.node_keep_alive = "365d".parse().unwrap();
        cluster.routing.table.expire = "30d".parse().unwrap();
        cluster.routing.max_age = Some("24d".parse().unwrap());
    })
    .await;
}

#[tokio::test]
async fn https_with_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = self_signed(directory.path()).await;
    accepted(|cluster, _| {
        cluster.listen.https = Some(8443);
        cluster.tls = Some(certificate.clone());
    })
    .await;
    accepted(|cluster, _| {
        cluster.listen.https = Some(8443);
        cluster.tls = Some(certificate);
        cluster.listen.http = None;
        cluster.listen.tcp = None;
    })
    .await;
}

#[tokio::test]
async fn a_missing_certificate_is_named() {
    let mut cluster = default_cluster();
    cluster.tls = Some(Certificate::Files {
        certificate: "/nonexistent.pem".into(),
        key: "/nonexistent.key".into(),
    });
    let directory = tempfile::tempdir().unwrap();
    let haproxy = installed(&cluster).await;
    let (plan, run_dir) = (plan(&["127.0.0.1"]), RunDir::at(directory.path()));
    let error = haproxy
        .check(deployment(&cluster, &plan, &run_dir))
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("cannot read `/nonexistent.pem`: "),
        "{error}"
    );
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn haproxys_errors_and_warnings_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    let templates = Templates::overridden_by(directory.path());
    let template = directory.path().join("haproxy.cfg.tera");
    let cluster = default_cluster();
    let haproxy = installed(&cluster).await;
    let run_dir = RunDir::at("/run/clusterctl/there");
    let plan = plan(&["127.0.0.1"]);
    let overridden = Deployment {
        templates: &templates,
        ..deployment(&cluster, &plan, &run_dir)
    };
    std::fs::write(&template, "global\n    nonsense {{ maxconn }}\n").unwrap();
    let error = haproxy.check(overridden).await.unwrap_err();
    assert!(matches!(error, CheckError::Refused { .. }));
    let words = error.to_string();
    assert!(words.starts_with("HAProxy "), "{words}");
    assert!(
        words.contains("[/run/clusterctl/there/haproxy.cfg:2] : unknown keyword 'nonsense'"),
        "{words}"
    );
    std::fs::write(&template, "frontend f\n    bind 127.0.0.1:1\n    mode http\n").unwrap();
    let warnings = haproxy.check(overridden).await.unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("missing timeouts")),
        "{warnings:?}"
    );
}

/// A certificate and its key, made by this machine's openssl.
async fn self_signed(directory: &Path) -> Certificate {
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let made = Program::new("/usr/bin/openssl")
        .args(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
                .split(' '),
        )
        .args([
            "-out".as_ref(),
            certificate.as_os_str(),
            "-keyout".as_ref(),
            key.as_os_str(),
        ])
        .output(std::time::Duration::from_mins(1))
        .await
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    Certificate::Files { certificate, key }
}
