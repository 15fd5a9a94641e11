//! nginx accepts the configuration of every kind of profile without a warning.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use clusterctl::balancer::{CheckError, Deployment, find};
use clusterctl::plan::Plan;
use clusterctl::platform::RunDir;
use clusterctl::profile::{Algorithm, BalancerKind, Certificate, Cluster, Route, Sticky};
use clusterctl::render::Templates;

use super::running::planned;
use crate::haproxy::{default_cluster, deployment};
use crate::harness::copy_program;

/// Lets nginx check the default profile with changes.
async fn accepted(change: impl FnOnce(&mut Cluster, &mut Plan)) {
    let mut cluster = default_cluster().behind(BalancerKind::Nginx);
    let mut plan = planned(&["0.0.0.0", "::"]);
    change(&mut cluster, &mut plan);
    // Tests that run at the same time must not take one another's ports, not even for a check.
    let listen = &mut cluster.listen;
    for port in [
        &mut listen.tcp,
        &mut listen.http,
        &mut listen.websocket,
        &mut listen.sse,
        &mut listen.https,
    ] {
        *port = port.map(|port| port + 20_000);
    }
    listen.status = listen.status.map(|mut at| {
        at.set_port(at.port() + 20_000);
        at
    });
    let directory = tempfile::tempdir().unwrap();
    let nginx = find(BalancerKind::Nginx, &cluster.binaries).await.unwrap();
    let run_dir = RunDir::at(directory.path());
    match nginx.check(deployment(&cluster, &plan, &run_dir)).await {
        Ok(warnings) => assert!(warnings.is_empty(), "{warnings:#?}"),
        Err(error) => {
            let files = nginx.files(deployment(&cluster, &plan, &run_dir));
            panic!("{error}\n{}", files.unwrap()[0].content)
        }
    }
}

#[tokio::test]
async fn the_default_profile() {
    accepted(|_, _| {}).await;
    accepted(|_, plan| {
        plan.balancer.sources = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
    })
    .await;
}

#[tokio::test]
async fn without_any_one_listener() {
    accepted(|cluster, _| cluster.listen.tcp = None).await;
    accepted(|cluster, _| cluster.listen.http = None).await;
    accepted(|cluster, _| cluster.listen.websocket = None).await;
    accepted(|cluster, _| cluster.listen.sse = None).await;
    accepted(|cluster, _| cluster.listen.status = None).await;
    accepted(|cluster, _| {
        for node in &mut cluster.nodes {
            node.http = None;
        }
        (cluster.listen.http, cluster.listen.websocket, cluster.listen.sse) = (None, None, None);
    })
    .await;
}

#[tokio::test]
async fn every_algorithm_with_every_stickiness() {
    for algorithm in Algorithm::ALL {
        for sticky in [Sticky::None, Sticky::Source, Sticky::Cookie, Sticky::McpSession] {
            let route = Route { algorithm, sticky };
            accepted(|cluster, _| {
                let routing = &mut cluster.routing;
                (routing.http, routing.sse, routing.websocket) = (route, route, route);
                if !algorithm.needs_http() && matches!(sticky, Sticky::None | Sticky::Source) {
                    routing.tcp = route;
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn limits_exemptions_and_tls() {
    accepted(|cluster, _| {
        let per_ip = &mut cluster.limits.per_ip;
        per_ip.exempt = ["10.0.0.0/8", "fd00::/8"]
            .map(|network| network.parse().unwrap())
            .into();
    })
    .await;
    accepted(|cluster, _| {
        let per_ip = &mut cluster.limits.per_ip;
        (per_ip.connections, per_ip.connection_rate, per_ip.message_rate) = (0, 0, 0);
    })
    .await;
    accepted(|cluster, _| {
        cluster.listen.https = Some(8443);
        cluster.tls = Some(Certificate::SelfSigned);
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
async fn names_that_mean_something_to_nginx() {
    accepted(|cluster, _| {
        for (node, name) in cluster
            .nodes
            .iter_mut()
            .zip(["default", "include", "cluster", "a.b-c_d"])
        {
            name.clone_into(&mut node.name);
        }
        "x.y-z".clone_into(&mut cluster.routing.cookie);
    })
    .await;
    accepted(|cluster, _| {
        for node in &mut cluster.nodes {
            node.weight = 0;
        }
    })
    .await;
    accepted(|cluster, _| cluster.nodes.truncate(1)).await;
}

#[tokio::test]
async fn an_ordinary_user_can_check_it_too() {
    if !nix::unistd::geteuid().is_root() {
        // Without root, all other tests have checked this already.
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // A copy: the build may be below another user's home, which others cannot read.
    let binary = directory.path().join("clusterctl");
    copy_program(env!("CARGO_BIN_EXE_clusterctl").as_ref(), &binary);
    std::fs::set_permissions(
        directory.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let checked = Command::new(binary)
        .args([
            "check",
            "nginx",
            "--port-offset",
            "21000",
            "--set",
            "limits.maxconn=300",
        ])
        .env("CLUSTERCTL_RUN_DIR", directory.path().join("run"))
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr),
    );
    assert!(checked.status.success(), "{out}{err}");
    let warned = err.lines().filter(|line| line.starts_with("warning: "));
    let own = warned.filter(|line| !line.contains("per second are not limited"));
    assert_eq!(own.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[tokio::test]
async fn nginxs_error_is_shown_when_it_refuses_the_configuration() {
    let cluster = default_cluster().behind(BalancerKind::Nginx);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("nginx.conf.tera"),
        "events {}\n\nfoo bar;\n",
    )
    .unwrap();
    let templates = Templates::overridden_by(directory.path());
    let plan = planned(&["127.0.0.1"]);
    let run_dir = RunDir::at(Path::new("/run/somewhere"));
    let nginx = find(BalancerKind::Nginx, &cluster.binaries).await.unwrap();
    let deployment = Deployment {
        templates: &templates,
        ..deployment(&cluster, &plan, &run_dir)
    };
    let error = nginx.check(deployment).await.unwrap_err();
    assert!(matches!(error, CheckError::Refused { .. }), "{error}");
    let words = error.to_string();
    let expected = "error: unknown directive \"foo\" in /run/somewhere/nginx.conf:3";
    assert!(words.ends_with(expected), "{words}");
}
