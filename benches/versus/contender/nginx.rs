//! nginx with its stream module. Here it does not count anything or limit the rate of connections,
//! which only helps it.

use std::fmt::Write;
use std::io;
use std::path::Path;

use clusterctl::platform::Program;

use super::{MAXCONN, Site, THREADS, program};

/// Debian's path of the stream module, if it is not built in.
const STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// How to start it.
pub(super) fn command(site: &Site) -> io::Result<Program> {
    let config = site.dir.join("nginx.conf");
    std::fs::write(&config, text(site))?;
    program_with(&config, site.dir)
}

/// nginx with the file `config`, and its own files in `dir`.
pub(super) fn program_with(config: &Path, dir: &Path) -> io::Result<Program> {
    let nginx = Program::new(program("nginx")?);
    Ok(nginx
        .arg("-c")
        .arg(config)
        .arg("-p")
        .arg(dir)
        .arg("-e")
        .arg(dir.join("log")))
}

/// The line that lets workers open the files of this user.
pub(super) fn user() -> &'static str {
    if nix::unistd::geteuid().is_root() {
        "user root;"
    } else {
        ""
    }
}

// Private

fn text(site: &Site) -> String {
    let Site { listen, dir, .. } = site;
    let dir = dir.display();
    let user = user();
    let module = if Path::new(STREAM).exists() {
        format!("load_module {STREAM};")
    } else {
        String::new()
    };
    let mut servers = String::new();
    for node in site.nodes {
        // Writing to a string cannot fail.
        let _written = writeln!(servers, "        server {node} max_conns=35000 max_fails=10;");
    }
    // Two descriptors for each connection.
    let connections = 2 * MAXCONN;
    format!(
        "\
{module}
{user}
daemon off;
worker_processes {THREADS};
worker_rlimit_nofile 20000;
pid {dir}/nginx.pid;
error_log {dir}/log warn;
events {{
    worker_connections {connections};
}}
stream {{
    access_log off;
    limit_conn_zone $binary_remote_addr zone=per_ip:20m;
    upstream nodes {{
        zone nodes 1m;
        hash $remote_addr consistent;
{servers}    }}
    server {{
        listen {listen} reuseport;
        limit_conn per_ip 60000;
        proxy_connect_timeout 5s;
        proxy_timeout 5m;
        proxy_half_close on;
        proxy_pass nodes;
    }}
}}
"
    )
}
