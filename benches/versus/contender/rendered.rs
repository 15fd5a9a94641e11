//! Balancers with the configuration that clusterctl renders for the default profile.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use clusterctl::balancer::{Away, Deployment, find};
use clusterctl::plan::{BalancerPlan, NodePlan, Plan};
use clusterctl::platform::{Program, RunDir, atomic_file};
use clusterctl::profile::{BalancerKind, Cluster, DEFAULT, HealthKind, Source, load};
use clusterctl::render::Templates;

/// What the balancer is planned for.
#[derive(Clone, Debug)]
pub(crate) struct Size {
    /// Connections of clients.
    pub(crate) maxconn: u32,
    /// Threads of the balancer.
    pub(crate) threads: u16,
    /// Its addresses towards the nodes, if one has not enough ports.
    pub(crate) sources: Vec<std::net::IpAddr>,
}

/// Writes the files of a balancer of `kind` in front of `nodes` to `dir`; returns how to start it.
pub(super) fn program(
    kind: BalancerKind,
    listen: SocketAddr,
    nodes: &[SocketAddr],
    size: &Size,
    dir: &Path,
) -> io::Result<Program> {
    let cluster = cluster(kind, nodes, listen.port())?;
    let plan = plan(kind, size)?;
    let run_dir = RunDir::at(dir);
    run_dir.create().map_err(io::Error::other)?;
    let templates = Templates::embedded();
    let deployment = Deployment {
        cluster: &cluster,
        plan: &plan,
        run_dir: &run_dir,
        templates: &templates,
        owned: false,
        generation: 0,
    };
    let balancer = tokio::runtime::Runtime::new()?
        .block_on(find(kind, &cluster.binaries))
        .map_err(io::Error::other)?;
    let files = balancer.files(deployment).map_err(io::Error::other)?;
    let orders = balancer
        .order_files(deployment, &Away::default())
        .map_err(io::Error::other)?;
    for file in files.iter().chain(&orders) {
        let content = without_access_log(&file.content);
        atomic_file::replace(&file.path, content.as_bytes(), atomic_file::PRIVATE)?;
    }
    let mut program = balancer.serve(deployment, 0, None);
    if let Some(at) = program.args.iter().position(|arg| arg == "-x") {
        // It opens its listeners itself here.
        program.args.drain(at..at + 2);
    }
    if kind == BalancerKind::Builtin {
        // Not this benchmark, which the library takes for itself.
        program.path = env!("CARGO_BIN_EXE_clusterctl").into();
    }
    Ok(program)
}

// Private

/// nginx has an access log, the others have none by default.
fn without_access_log(config: &str) -> String {
    let lines = config.lines().map(|line| {
        if line.trim_start().starts_with("access_log \"") {
            "    access_log off;"
        } else {
            line
        }
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The default profile with HTTP only, and without limits per client.
fn cluster(kind: BalancerKind, nodes: &[SocketAddr], port: u16) -> io::Result<Cluster> {
    let source = Source::read(DEFAULT).map_err(io::Error::other)?;
    let mut cluster = load(&source).map_err(io::Error::other)?.behind(kind);
    cluster.nodes.truncate(nodes.len());
    for (node, address) in cluster.nodes.iter_mut().zip(nodes) {
        node.http = Some(*address);
        node.tcp = None;
    }
    let listen = &mut cluster.listen;
    (listen.tcp, listen.websocket, listen.sse) = (None, None, None);
    (listen.stats, listen.status) = (None, None);
    listen.http = Some(port);
    cluster.health.kind = HealthKind::Tcp;
    let limits = &mut cluster.limits.per_ip;
    (limits.connections, limits.connection_rate, limits.message_rate) = (0, 0, 0);
    Ok(cluster)
}

fn plan(kind: BalancerKind, size: &Size) -> io::Result<Plan> {
    let nofile = clusterctl::platform::descriptors::raise_limit()?;
    Ok(Plan {
        balancer: BalancerPlan {
            kind,
            maxconn: size.maxconn,
            nofile,
            threads: size.threads,
            instances: 1,
            sockets: if kind == BalancerKind::Haproxy {
                1
            } else {
                size.threads
            },
            sources: size.sources.clone(),
            check_source: None,
        },
        nodes: NodePlan {
            nofile,
            workers: 1,
            maxconn: 35_000,
        },
        addresses: vec![[127, 0, 0, 1].into()],
        capacity: size.maxconn,
        warnings: Vec::new(),
    })
}
