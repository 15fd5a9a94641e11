//! HAProxy, configured for TCP like our own template, with limits that the load never reaches.

use std::fmt::Write;
use std::io;

use clusterctl::platform::Program;

use super::{MAXCONN, Site, THREADS, program};

/// How to start it.
pub(super) fn command(site: &Site) -> io::Result<Program> {
    let config = site.dir.join("haproxy.cfg");
    std::fs::write(&config, text(site))?;
    Ok(Program::new(program("haproxy")?).args(["-db".as_ref(), "-f".as_ref(), config.as_os_str()]))
}

// Private

fn text(site: &Site) -> String {
    let Site {
        listen, stats, dir, ..
    } = site;
    let dir = dir.display();
    let mut text = format!(
        "\
global
    maxconn {MAXCONN}
    nbthread {THREADS}
    noreuseport
    stats socket {dir}/haproxy.sock mode 600 level admin expose-fd listeners
    localpeer bench

defaults
    mode tcp
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    timeout queue 30s
    timeout check 3s
    retries 3
    option redispatch 1
    default-server inter 3s fastinter 1s rise 2 fall 2 on-marked-down shutdown-sessions

peers bench
    peer bench unix@{dir}/peers.sock

listen stats
    mode http
    bind {stats}
    stats enable
    stats uri /stats

frontend mcp_frontend_tcp
    bind {listen}
    stick-table type ipv6 size 200k expire 10s store conn_cur,conn_rate(1s)
    tcp-request connection reject if {{ src,ipmask(32,64),table_conn_rate(mcp_frontend_tcp) ge 1000000 }}
    tcp-request connection track-sc0 src,ipmask(32,64)
    tcp-request connection reject if {{ sc0_conn_cur gt 1000000 }}
    default_backend mcp_cluster_tcp

backend mcp_cluster_tcp
    balance roundrobin
    stick-table type ipv6 size 200k expire 30m peers bench
    stick on src
"
    );
    for (index, node) in site.nodes.iter().enumerate() {
        let id = index + 1;
        // Writing to a string cannot fail.
        let _written = writeln!(
            text,
            "    server node{id} {node} id {id} weight 100 maxconn 35000 check"
        );
    }
    text
}
