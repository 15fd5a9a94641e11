//! A balancer with the configuration that clusterctl renders for the default profile.

use clusterctl::platform::atomic_file;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clusterctl::balancer::{Away, Deployment, find};
use clusterctl::plan::{BalancerPlan, NodePlan, Plan};
use clusterctl::platform::{Process, RunDir};
use clusterctl::profile::{BalancerKind, Cluster, DEFAULT, HealthKind, Source, load};
use clusterctl::render::Templates;
use nix::sys::signal::Signal;
use tokio::runtime::Runtime;

use crate::contender::free_ports;

/// The time limit for a balancer to serve.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// It runs until this is dropped.
pub(crate) struct Rendered {
    address: SocketAddr,
    process: Process,
    // Dropped after the process, which is controlled by it.
    _runtime: Runtime,
}

impl Rendered {
    /// Starts it in front of `nodes`, with its files in `dir`, and waits until it serves.
    pub(crate) fn start(kind: BalancerKind, nodes: &[SocketAddr], dir: &Path) -> io::Result<Rendered> {
        let runtime = Runtime::new()?;
        let _guard = runtime.enter();
        let [address] = free_ports()?;
        let cluster = cluster(kind, nodes, address.port())?;
        let plan = plan(kind);
        let run_dir = RunDir::at(dir);
        run_dir.create().map_err(io::Error::other)?;
        let templates = Templates::embedded();
        let deployment = Deployment {
            cluster: &cluster,
            plan: &plan,
            run_dir: &run_dir,
            templates: &templates,
        };
        let balancer = runtime
            .block_on(find(kind, &cluster.binaries))
            .map_err(io::Error::other)?;
        let files = balancer.files(deployment).map_err(io::Error::other)?;
        let orders = balancer
            .order_files(deployment, &Away::default())
            .map_err(io::Error::other)?;
        for file in files.iter().chain(&orders) {
            atomic_file::replace(&file.path, file.content.as_bytes(), atomic_file::PRIVATE)?;
        }
        let process = balancer
            .serve(deployment, 0, None)
            .spawn(&run_dir.log("balancer"))?;
        let rendered = Rendered {
            address,
            process,
            _runtime: runtime,
        };
        wait_until_served(address)?;
        Ok(rendered)
    }

    /// The address for clients.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Rendered {
    fn drop(&mut self) {
        // The process may have ended already.
        let _gone = self.process.identity().signal_group(Signal::SIGKILL);
    }
}

// Private

/// The default profile with HTTP only, and without limits per client.
fn cluster(kind: BalancerKind, nodes: &[SocketAddr], port: u16) -> io::Result<Cluster> {
    let source = Source::read(DEFAULT).map_err(io::Error::other)?;
    let mut cluster = load(&source).map_err(io::Error::other)?.behind(kind);
    cluster.nodes.truncate(nodes.len());
    for (node, address) in cluster.nodes.iter_mut().zip(nodes) {
        node.http = Some(*address);
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

fn plan(kind: BalancerKind) -> Plan {
    Plan {
        balancer: BalancerPlan {
            kind,
            maxconn: 300,
            nofile: 1000,
            threads: 2,
            instances: 1,
            sources: Vec::new(),
            check_source: None,
        },
        nodes: NodePlan {
            nofile: 1000,
            workers: 1,
            maxconn: 400,
        },
        addresses: vec![[127, 0, 0, 1].into()],
        capacity: 300,
        warnings: Vec::new(),
    }
}

fn wait_until_served(address: SocketAddr) -> io::Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    while let Err(error) = std::net::TcpStream::connect(address) {
        if Instant::now() > deadline {
            return Err(error);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
