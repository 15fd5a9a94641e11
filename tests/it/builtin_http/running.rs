//! A running data plane with small nodes behind it; both end with the test.

use std::path::PathBuf;

use clusterctl::balancer::{Away, Balancer, Builtin, Orders};
use clusterctl::haproxy_api::{ServerHealth, Socket};
use clusterctl::plan::Plan;
use clusterctl::platform::{Process, Program, RunDir, atomic_file};
use clusterctl::profile::{BalancerKind, Cluster};
use clusterctl::render::health_targets;
use nix::sys::signal::Signal;

use crate::haproxy::running::{eventually, free_ports};
use crate::haproxy::{default_cluster, deployment, nodes, plan};
use crate::rendered;

pub(crate) struct Running {
    pub(super) cluster: Cluster,
    pub(super) socket: Socket,
    plan: Plan,
    away: Away,
    run_dir: RunDir,
    process: Process,
    _directory: tempfile::TempDir,
}

impl Running {
    pub(super) fn http(&self) -> u16 {
        self.cluster.listen.http.unwrap()
    }

    /// The orders that drain its nodes.
    pub(super) fn orders(&self) -> Orders {
        Builtin::new().orders(&self.cluster, &self.run_dir)
    }

    /// Writes which nodes are drained to a file, as the supervisor does before it sends the order.
    pub(super) fn write_orders(&mut self, drained: &[&str]) {
        self.away = Away::drained(drained.iter().map(|name| (*name).to_owned()));
        self.write_files();
    }

    /// Sets the health of a node in all backends.
    pub(super) async fn set_health(&self, node: &str, health: ServerHealth) {
        for target in health_targets(&self.cluster, node) {
            let set = self.socket.set_health(target.backend, &target.server, health);
            set.await.unwrap();
        }
    }

    /// Lets it read a changed configuration, as the supervisor does.
    pub(super) async fn reload(&mut self, change: impl FnOnce(&mut Cluster)) {
        change(&mut self.cluster);
        self.write_files();
        assert_eq!(self.socket.ask("reload").await.unwrap().trim(), "Success=1");
    }

    /// Kills the process, and starts another one with the same files.
    pub(super) async fn kill_and_start_again(&mut self) {
        self.process.identity().signal(Signal::SIGKILL).unwrap();
        self.process.ended().await.unwrap();
        self.process = spawn(&self.run_dir);
        self.serves().await;
    }

    /// The state of a server.
    pub(super) async fn state(&self, backend: &str, server: &str) -> String {
        let rows = self.socket.stat().await.unwrap();
        let row = rows
            .iter()
            .find(|row| row.proxy() == backend && row.name() == server);
        row.unwrap().state().to_owned()
    }

    async fn serves(&self) {
        eventually("the data plane serves", async || self.socket.info().await.is_ok()).await;
    }

    fn write_files(&self) {
        write_files(&self.cluster, &self.plan, &self.run_dir, &self.away);
    }
}

impl rendered::Running for Running {
    const KIND: BalancerKind = BalancerKind::Builtin;

    async fn start(change: impl FnOnce(&mut Cluster)) -> Running {
        let mut cluster = default_cluster();
        for node in &mut cluster.nodes {
            node.tcp = Some(nodes::tcp(node.name.clone()).await);
            node.http = Some(nodes::http(node.name.clone()).await);
        }
        let [tcp, http, websocket, sse, page, health] = free_ports();
        let listen = &mut cluster.listen;
        (listen.tcp, listen.http) = (Some(tcp), Some(http));
        (listen.websocket, listen.sse) = (Some(websocket), Some(sse));
        (listen.stats, listen.status) = (
            Some(([127, 0, 0, 1], page).into()),
            Some(([127, 0, 0, 1], health).into()),
        );
        change(&mut cluster);
        let cluster = cluster.behind(BalancerKind::Builtin);
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        run_dir.create().unwrap();
        let mut plan = plan(&["127.0.0.1"]);
        plan.balancer.kind = BalancerKind::Builtin;
        let away = Away::default();
        write_files(&cluster, &plan, &run_dir, &away);
        let running = Running {
            socket: Socket::new(run_dir.dataplane_socket()),
            process: spawn(&run_dir),
            cluster,
            plan,
            away,
            run_dir,
            _directory: directory,
        };
        running.serves().await;
        running
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
        let _ = self.process.identity().signal(Signal::SIGKILL);
    }
}

fn write_files(cluster: &Cluster, plan: &Plan, run_dir: &RunDir, away: &Away) {
    let (builtin, deployment) = (Builtin::new(), deployment(cluster, plan, run_dir));
    let mut files = builtin.files(deployment).unwrap();
    files.extend(builtin.order_files(deployment, away).unwrap());
    for file in files {
        atomic_file::replace(&file.path, file.content.as_bytes(), atomic_file::PRIVATE).unwrap();
    }
}

/// `Builtin` would run this test's own binary.
fn spawn(run_dir: &RunDir) -> Process {
    let program = Program::new(env!("CARGO_BIN_EXE_clusterctl"))
        .args(["dataplane", "--config"])
        .arg(run_dir.dataplane_config());
    program.spawn(&run_dir.log("builtin")).unwrap()
}
