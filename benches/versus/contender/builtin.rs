//! The built-in data plane, configured with the type that it reads.

use std::io;
use std::path::Path;
use std::time::Duration;

use clusterctl::base::units::{Count, Period};
use clusterctl::dataplane_config::{
    Dataplane, DataplaneBackend, DataplaneCheck, DataplaneFrontend, DataplaneHttp, DataplaneQuestion,
    DataplaneServer, DataplaneTimeouts,
};
use clusterctl::platform::Program;
use clusterctl::profile::{Algorithm, PerIp, Table};

use super::{MAXCONN, Site, THREADS};

/// How to start it.
pub(super) fn command(config: &Dataplane, dir: &Path) -> io::Result<Program> {
    let file = dir.join("dataplane.yaml");
    std::fs::write(&file, config.to_yaml())?;
    let program = Program::new(env!("CARGO_BIN_EXE_clusterctl"));
    Ok(program.args(["dataplane", "--config"]).arg(file))
}

/// Its configuration.
pub(crate) fn config(site: &Site) -> Dataplane {
    let seconds = |seconds| Period::from(Duration::from_secs(seconds));
    let servers = (1..).zip(site.nodes).map(|(id, node)| DataplaneServer {
        name: format!("node{id}"),
        id,
        address: *node,
        weight: 100,
        maxconn: 35_000,
        question: DataplaneQuestion::Tcp,
        check_path: DataplaneServer::default_check_path(),
        check_address: None,
        added: None,
    });
    Dataplane {
        cluster: "bench".to_owned(),
        workers: THREADS,
        maxconn: MAXCONN,
        socket: site.dir.join("dataplane.sock"),
        listeners: None,
        memory: Some(site.dir.join("memory")),
        drained: None,
        down: None,
        stopping: None,
        stats: Some(site.stats),
        status: None,
        sources: Vec::new(),
        check_source: None,
        http: DataplaneHttp::default(),
        timeouts: DataplaneTimeouts {
            connect: seconds(5),
            client: seconds(300),
            server: seconds(300),
            queue: seconds(30),
            http_request: DataplaneTimeouts::default_http_request(),
            keep_alive: DataplaneTimeouts::default_keep_alive(),
            node_keep_alive: DataplaneTimeouts::default_node_keep_alive(),
            tunnel: DataplaneTimeouts::default_tunnel(),
            max_age: None,
        },
        frontends: vec![DataplaneFrontend {
            name: "mcp_frontend_tcp".to_owned(),
            listen: vec![site.listen],
            maxconn: 0,
            backend: "mcp_cluster_tcp".to_owned(),
            http: None,
            limits: PerIp {
                connections: 1_000_000,
                connection_rate: 1_000_000,
                // The other balancers do not count messages.
                message_rate: 0,
                exempt: [].into(),
            },
        }],
        backends: vec![DataplaneBackend {
            name: "mcp_cluster_tcp".to_owned(),
            algorithm: Algorithm::Roundrobin,
            http: None,
            sticky: Some(Table {
                size: Count::from(200_000),
                expire: seconds(30 * 60),
            }),
            queue: DataplaneBackend::default_queue(),
            slowstart: Period::default(),
            check: Some(DataplaneCheck {
                interval: seconds(3),
                fast_interval: seconds(1),
                timeout: seconds(3),
                rise: 2,
                fall: 2,
            }),
            track: None,
            eject_after: DataplaneBackend::default_ejection(),
            eject_errors: None,
            servers: servers.collect(),
        }],
    }
}
