//! HAProxy and nginx with as little configuration as HTTP needs: one frontend, and one backend to
//! which connections are kept alive.

use std::fmt::Write;
use std::io;

use clusterctl::platform::Program;

use super::rendered::Size;
use super::{Site, nginx, program};

/// HAProxy.
pub(super) fn haproxy(site: &Site, planned: &Size) -> io::Result<Program> {
    let mut text = format!(
        "\
global
    maxconn {}
    nbthread {}

defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    option http-no-delay

frontend clients
    bind {}
    default_backend nodes

backend nodes
    balance roundrobin
",
        planned.maxconn, planned.threads, site.listen
    );
    for (number, node) in (1..).zip(site.nodes) {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "    server node{number} {node}");
    }
    let config = site.dir.join("haproxy.cfg");
    std::fs::write(&config, text)?;
    Ok(Program::new(program("haproxy")?).args(["-db".as_ref(), "-f".as_ref(), config.as_os_str()]))
}

/// nginx.
pub(super) fn nginx(site: &Site, planned: &Size) -> io::Result<Program> {
    let mut servers = String::new();
    for node in site.nodes {
        // Writing to a string cannot fail.
        let _written = writeln!(servers, "        server {node};");
    }
    let Site { listen, dir, .. } = site;
    let dir = dir.display();
    // Two descriptors for each connection, and the kernel does not spread them evenly.
    let connections = 2 * planned.maxconn;
    let text = format!(
        "\
{user}
daemon off;
worker_processes {threads};
pid {dir}/nginx.pid;
error_log {dir}/log warn;
events {{
    worker_connections {connections};
}}
http {{
    access_log off;
    client_body_temp_path {dir};
    proxy_temp_path {dir};
    fastcgi_temp_path {dir};
    uwsgi_temp_path {dir};
    scgi_temp_path {dir};
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    upstream nodes {{
        keepalive 256;
        keepalive_requests 1000000000;
{servers}    }}
    server {{
        listen {listen} reuseport;
        proxy_http_version 1.1;
        proxy_read_timeout 1h;
        proxy_buffering off;
        proxy_request_buffering off;
        location / {{
            proxy_set_header Connection \"\";
            proxy_pass http://nodes;
        }}
        location /mcp/ws {{
            proxy_set_header Connection upgrade;
            proxy_set_header Upgrade $http_upgrade;
            proxy_pass http://nodes;
        }}
    }}
}}
",
        user = nginx::user(),
        threads = planned.threads,
    );
    let config = site.dir.join("nginx.conf");
    std::fs::write(&config, text)?;
    nginx::program_with(&config, site.dir)
}
