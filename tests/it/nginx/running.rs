//! A running nginx with small nodes behind it; both end with the test.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use clusterctl::balancer::{Away, Balancer, Deployment, find};
use clusterctl::haproxy_api::StatusPage;
use clusterctl::plan::Plan;
use clusterctl::platform::atomic_file;
use clusterctl::platform::{Process, RunDir, Worker};
use clusterctl::profile::{BalancerKind, Cluster};
use nix::sys::signal::Signal;

use crate::haproxy::running::{all_of, eventually, free_ports, open_groups};
use crate::haproxy::{default_cluster, deployment, nodes, plan};
use crate::rendered;
use crate::sessions::Entrance;

pub(crate) struct Running {
    pub(super) cluster: Cluster,
    pub(super) run_dir: RunDir,
    plan: Plan,
    nginx: Box<dyn Balancer>,
    master: Process,
    /// What the supervisor keeps open while nginx has it, too.
    _listeners: Vec<Arc<TcpListener>>,
    _directory: tempfile::TempDir,
}

/// A plan for nginx that fits every machine.
pub(super) fn planned(addresses: &[&str]) -> Plan {
    let mut plan = plan(addresses);
    plan.balancer.kind = BalancerKind::Nginx;
    plan
}

impl Running {
    /// Starts it with the default profile, changed, on free ports. It opens its listeners itself.
    pub(super) async fn start(change: impl FnOnce(&mut Cluster)) -> Running {
        Running::start_with(None, change).await
    }

    /// Starts it where it inherits so many listening sockets of each address for clients.
    pub(super) async fn start_on(sockets: u16, change: impl FnOnce(&mut Cluster)) -> Running {
        Running::start_with(Some(sockets), change).await
    }

    async fn start_with(sockets: Option<u16>, change: impl FnOnce(&mut Cluster)) -> Running {
        let mut cluster = default_cluster();
        for node in &mut cluster.nodes {
            node.tcp = Some(nodes::tcp(node.name.clone()).await);
            node.http = Some(nodes::http(node.name.clone()).await);
        }
        let [tcp, http, websocket, sse, https, health] = free_ports();
        let listen = &mut cluster.listen;
        (listen.tcp, listen.http) = (Some(tcp), Some(http));
        (listen.websocket, listen.sse) = (Some(websocket), Some(sse));
        // Not served without a certificate.
        listen.https = Some(https);
        listen.status = Some(([127, 0, 0, 1], health).into());
        change(&mut cluster);
        let cluster = cluster.behind(BalancerKind::Nginx);
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        run_dir.create().unwrap();
        let nginx = find(BalancerKind::Nginx, &cluster.binaries).await.unwrap();
        let mut plan = planned(&["127.0.0.1"]);
        if let Some(sockets) = sockets {
            (plan.balancer.threads, plan.balancer.sockets) = (sockets, sockets);
        }
        write(
            nginx.as_ref(),
            deployment(&cluster, &plan, &run_dir),
            &Away::default(),
        );
        let mut program = nginx.serve(deployment(&cluster, &plan, &run_dir), 0, None);
        let mut listeners = Vec::new();
        if sockets.is_some() {
            let deployment = deployment(&cluster, &plan, &run_dir);
            listeners = all_of(&open_groups(deployment), plan.balancer.sockets);
            program = nginx
                .inherit(program, listeners.len())
                .inherit(listeners.iter().cloned());
        }
        let master = program.spawn(&run_dir.log("nginx")).unwrap();
        let running = Running {
            cluster,
            run_dir,
            plan,
            nginx,
            master,
            _listeners: listeners,
            _directory: directory,
        };
        running.serves().await;
        running
    }

    pub(super) fn tcp(&self) -> u16 {
        self.cluster.listen.tcp.unwrap()
    }

    pub(super) fn http(&self) -> u16 {
        self.cluster.listen.http.unwrap()
    }

    /// The entrance for clients with sessions.
    pub(super) fn entrance(&self) -> Entrance {
        Entrance::new(&self.cluster.listen)
    }

    /// Its error log and its access log.
    pub(super) fn logs(&self) -> [String; 2] {
        ["nginx", "nginx-access"]
            .map(|name| std::fs::read_to_string(self.run_dir.log(name)).unwrap_or_default())
    }

    /// Reloads nginx so that the nodes with these names get no new connections.
    pub(super) async fn take_away(&self, names: &[&str]) {
        let down = names.iter().map(|name| (*name).to_owned()).collect();
        self.reload(&Away {
            down,
            ..Away::default()
        })
        .await;
    }

    /// Reloads nginx so that it carries out the orders.
    pub(super) async fn reload(&self, away: &Away) {
        let old = self.workers();
        write(
            self.nginx.as_ref(),
            deployment(&self.cluster, &self.plan, &self.run_dir),
            away,
        );
        self.master.identity().signal(Signal::SIGHUP).unwrap();
        eventually("new workers take over", async || {
            let workers = self.workers();
            !workers.is_empty() && !workers.iter().any(|pid| old.contains(pid))
        })
        .await;
        self.serves().await;
    }

    /// Every address that it listens on.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.plan.listeners(&self.cluster).map(|at| at.address).collect()
    }

    /// Ends it once its last connection has ended.
    pub(super) async fn quit(&mut self) {
        self.master.identity().signal(self.nginx.drain_signal()).unwrap();
        self.master.ended().await.unwrap();
    }

    /// The workers that accept connections.
    pub(super) fn workers(&self) -> Vec<u32> {
        let workers = Worker::of(self.master.identity()).into_iter();
        let accepting = workers.filter(|worker| worker.title == "nginx: worker process");
        accepting.map(|worker| worker.pid).collect()
    }

    async fn serves(&self) {
        let page = StatusPage::new(self.run_dir.nginx_socket(0));
        eventually("nginx serves", async || page.read().await.is_ok()).await;
    }
}

impl rendered::Running for Running {
    const KIND: BalancerKind = BalancerKind::Nginx;

    async fn start(change: impl FnOnce(&mut Cluster)) -> Running {
        Running::start(change).await
    }

    fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn certificate(&self) -> PathBuf {
        self.run_dir.certificate()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.master.identity().signal_group(Signal::SIGKILL);
    }
}

fn write(nginx: &dyn Balancer, deployment: Deployment<'_>, away: &Away) {
    let mut files = nginx.files(deployment).unwrap();
    files.extend(nginx.order_files(deployment, away).unwrap());
    for file in files {
        atomic_file::replace(&file.path, file.content.as_bytes(), atomic_file::PRIVATE).unwrap();
    }
}
