//! The rendered configuration depends on the version of nginx.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clusterctl::balancer::{Balancer, Nginx};
use clusterctl::platform::RunDir;
use clusterctl::profile::{BalancerKind, Certificate};
use clusterctl::render::{NginxBuild, NginxInstallation, NginxPlace, StreamModule, Templates, nginx};

use super::running::planned;
use crate::haproxy::{default_cluster, deployment};

const MODULES: &str = "--with-http_ssl_module --with-http_v2_module --with-http_stub_status_module";

fn build(version: &str, arguments: &str) -> NginxBuild {
    let output = format!("nginx version: nginx/{version}\nconfigure arguments: {MODULES} {arguments}\n");
    NginxBuild::parse(&output).unwrap()
}

/// The configuration for `version`, with TLS and with these nodes away.
fn rendered(version: &str, away: &[&str]) -> String {
    let mut cluster = default_cluster().behind(BalancerKind::Nginx);
    cluster.listen.https = Some(8443);
    cluster.tls = Some(Certificate::SelfSigned);
    cluster.routing.max_age = Some(Duration::from_hours(1).into());
    let installed = NginxInstallation {
        build: build(version, "--with-stream=dynamic"),
        stream: StreamModule::Loaded("/usr/lib/nginx/modules/ngx_stream_module.so".into()),
        user: None,
    };
    let away: BTreeSet<String> = away.iter().map(|name| (*name).to_owned()).collect();
    let plan = planned(&["0.0.0.0"]);
    let run_dir = RunDir::at(Path::new("/run/somewhere"));
    let place = NginxPlace {
        run_dir: &run_dir,
        generation: 0,
    };
    nginx(
        &cluster,
        &plan,
        &installed,
        place,
        &Templates::embedded(),
        &away,
        false,
    )
    .unwrap()
}

#[test]
fn newer_directives_are_used_where_nginx_has_them() {
    let has = |version, words: &str| rendered(version, &[]).contains(words);
    for (words, old, new) in [
        ("keepalive_time        1h;", "1.18.0", "1.19.10"),
        ("proxy_half_close on;", "1.20.2", "1.22.1"),
        ("http2 on;", "1.24.0", "1.25.1"),
    ] {
        assert!(!has(old, words), "{words} in {old}");
        assert!(has(new, words), "{words} in {new}");
    }
    assert!(has("1.24.0", " ssl http2;") && !has("1.25.1", " ssl http2;"));
    for version in ["1.18.0", "1.22.1", "1.31.5"] {
        assert!(
            has(version, "add_header Mcp-Session-Id $mcp_session_sent always;"),
            "{version}"
        );
    }
}

#[test]
fn all_required_directives_are_rendered() {
    let config = rendered("1.22.1", &[]);
    for words in [
        "upstream erlmcp_tcp_cluster {\n        zone erlmcp_tcp_cluster ",
        "upstream erlmcp_http_cluster {\n        zone erlmcp_http_cluster ",
        "upstream erlmcp_websocket_cluster {\n        zone erlmcp_websocket_cluster ",
        "upstream erlmcp_sse_cluster {\n        zone erlmcp_sse_cluster ",
        "        keepalive 256;\n        keepalive_requests 100;\n        keepalive_timeout 4s;\n",
        "zone=http_limit:31m rate=100r/s;",
        "zone=ws_limit:31m rate=100r/s;",
        "zone=sse_limit:31m rate=100r/s;",
        "limit_conn tcp_connections 100;",
        "limit_conn http_connections 100;",
        "keepalive_timeout     5m;\n    keepalive_requests    1000;",
        "use epoll;\n    multi_accept on;",
        "max_conns=400 max_fails=2 fail_timeout=3s",
        "max_conns=400 max_fails=0; # erlmcp1",
        "worker_shutdown_timeout 1h;",
        "listen 127.0.0.1:8888;",
        "proxy_buffering         off;",
    ] {
        assert!(config.contains(words), "`{words}` is not in:\n{config}");
    }
}

#[test]
fn absent_nodes_are_marked_and_the_file_has_no_empty_parts() {
    let config = rendered("1.22.1", &["erlmcp2"]);
    assert!(
        config.contains("# Away, without new clients: erlmcp2.\n"),
        "{config}"
    );
    assert!(config.contains(
        "server 127.0.0.1:9002 weight=100 max_conns=400 max_fails=2 fail_timeout=3s down; # erlmcp2"
    ));
    assert!(
        config.contains(r#"'{"status":"up","nodes_up":3,"nodes":4}'"#),
        "{config}"
    );
    assert!(!config.contains("upstream erlmcp_tcp_to_erlmcp2 "), "{config}");
    assert!(!config.contains("\n\n\n"), "{config}");
    let all_away = rendered("1.22.1", &["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"]);
    assert!(
        all_away.contains(r#"return 503 '{"status":"down","nodes_up":0,"nodes":4}'"#),
        "{all_away}"
    );
    assert!(all_away.contains("proxy_pass erlmcp_tcp_cluster;"), "{all_away}");
}

#[test]
fn without_the_stream_module_tcp_is_refused_and_http_is_not() {
    let nginx = Nginx::new(
        "/usr/sbin/nginx",
        build("1.22.1", "--with-stream=dynamic --modules-path=/nowhere"),
    );
    let mut cluster = default_cluster().behind(BalancerKind::Nginx);
    let plan = planned(&["127.0.0.1"]);
    let run_dir = RunDir::at(Path::new("/run/somewhere"));
    let error = nginx.files(deployment(&cluster, &plan, &run_dir)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`/usr/sbin/nginx` has no stream module, which `listen.tcp` needs: it is not built in, and \
         `/nowhere/ngx_stream_module.so` is not there"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains("apt-get install -y libnginx-mod-stream")
    );
    cluster.listen.tcp = None;
    let files = nginx.files(deployment(&cluster, &plan, &run_dir)).unwrap();
    assert!(!files[0].content.contains("\nstream {"), "{}", files[0].content);
}
