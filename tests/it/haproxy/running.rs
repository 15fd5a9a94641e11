//! A running HAProxy with small nodes behind it; both end with the test.

use clusterctl::platform::atomic_file;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use clusterctl::balancer::{Away, Balancer, Deployment, Orders};
use clusterctl::haproxy_api::{Handover, Socket};
use clusterctl::plan::Plan;
use clusterctl::platform::listen::Group;
use clusterctl::platform::{Instance, Process, Program, RunDir};
use clusterctl::profile::{BalancerKind, Cluster};
use nix::sys::signal::Signal;

use super::{default_cluster, deployment, installed, nodes, plan};
use crate::sessions::Entrance;
use crate::{harness, rendered};

/// The first port of these tests. They end below those of the tests of whole clusters.
const FIRST_PORT: u16 = 2_000;
/// The number of their ports.
const PORTS: u16 = 5_900;
/// The next one, counted from the first.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

pub(crate) struct Running {
    pub(super) cluster: Cluster,
    pub(super) socket: Socket,
    plan: Plan,
    away: Away,
    haproxy: Box<dyn Balancer>,
    run_dir: RunDir,
    processes: Vec<Process>,
    _listeners: (Vec<Group>, Handover),
    _directory: tempfile::TempDir,
}

impl Running {
    /// Starts it with the default profile, changed, on free ports.
    pub(super) async fn start(change: impl FnOnce(&mut Cluster)) -> Running {
        Running::start_on(1, change).await
    }

    /// Starts it where each address for clients has so many listening sockets.
    pub(super) async fn start_on(sockets: u16, change: impl FnOnce(&mut Cluster)) -> Running {
        let mut cluster = default_cluster();
        for node in &mut cluster.nodes {
            node.tcp = Some(nodes::tcp(node.name.clone()).await);
            node.http = Some(nodes::http(node.name.clone()).await);
        }
        let [tcp, http, websocket, sse, https, page, health] = free_ports();
        let listen = &mut cluster.listen;
        (listen.tcp, listen.http) = (Some(tcp), Some(http));
        (listen.websocket, listen.sse) = (Some(websocket), Some(sse));
        // Not served without a certificate.
        listen.https = Some(https);
        (listen.stats, listen.status) = (
            Some(([127, 0, 0, 1], page).into()),
            Some(([127, 0, 0, 1], health).into()),
        );
        change(&mut cluster);
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        run_dir.create().unwrap();
        let haproxy = installed(&cluster).await;
        let mut plan = plan(&["127.0.0.1"]);
        plan.balancer.sockets = sockets;
        let listeners = hand_over(haproxy.as_ref(), deployment(&cluster, &plan, &run_dir));
        let mut running = Running {
            socket: Socket::new(&haproxy.sockets(deployment(&cluster, &plan, &run_dir))[0]),
            cluster,
            plan,
            away: Away::default(),
            haproxy,
            run_dir,
            processes: Vec::new(),
            _listeners: listeners,
            _directory: directory,
        };
        running.write_files();
        running.spawn(None);
        eventually("haproxy serves", async || running.socket.info().await.is_ok()).await;
        running
    }

    pub(super) fn tcp(&self) -> u16 {
        self.cluster.listen.tcp.unwrap()
    }

    pub(super) fn https(&self) -> u16 {
        self.cluster.listen.https.unwrap()
    }

    pub(super) fn http(&self) -> u16 {
        self.cluster.listen.http.unwrap()
    }

    /// The entrance for clients with sessions.
    pub(super) fn entrance(&self) -> Entrance {
        Entrance::new(&self.cluster.listen)
    }

    /// How many sockets listen on each of its addresses, in any process.
    pub(super) fn open_listeners(&self) -> BTreeMap<SocketAddr, usize> {
        let addresses: Vec<_> = self.plan.listeners(&self.cluster).map(|at| at.address).collect();
        let mut counts = BTreeMap::new();
        for listener in clusterctl::platform::sock_diag::listeners().unwrap() {
            if addresses.contains(&listener.address) {
                *counts.entry(listener.address).or_default() += 1;
            }
        }
        counts
    }

    /// Its certificate, if it has one.
    pub(super) fn certificate(&self) -> std::path::PathBuf {
        self.run_dir.certificate()
    }

    /// The output of its processes so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.run_dir.log("haproxy")).unwrap()
    }

    /// The state of a server.
    pub(super) async fn state(&self, backend: &str, server: &str) -> String {
        let rows = self.socket.stat().await.unwrap();
        let row = rows
            .iter()
            .find(|row| row.proxy() == backend && row.name() == server);
        row.unwrap().state().to_owned()
    }

    /// Starts a new process that takes over from the running one, as the supervisor does.
    pub(super) async fn reload(&mut self) {
        let old = self.pid();
        self.write_files();
        let states = self.socket.servers_state().await.unwrap();
        atomic_file::replace(
            &self.run_dir.haproxy_state(Instance::Only),
            states.as_bytes(),
            atomic_file::PRIVATE,
        )
        .unwrap();
        self.spawn(Some(old));
        let socket = self.socket.clone();
        eventually("the new process serves", async || {
            socket.info().await.is_ok_and(|info| info.pid != old)
        })
        .await;
    }

    /// The orders that drain its nodes.
    pub(super) fn orders(&self) -> Orders {
        self.haproxy.orders(&self.cluster, &self.run_dir)
    }

    /// Writes which nodes are drained to a file, as the supervisor does before it sends the order.
    pub(super) fn write_orders(&mut self, drained: &[&str]) {
        self.away = Away::drained(drained.iter().map(|name| (*name).to_owned()));
        self.write_files();
    }

    /// Announces a stop in the files, as the supervisor does before it sends the order.
    pub(super) fn write_announcement(&mut self, announced: bool) {
        self.away.announced = announced;
        self.write_files();
    }

    /// Kills the process, and starts another one with the same files.
    pub(super) async fn kill_and_start_again(&mut self) {
        let mut killed = self.processes.pop().unwrap();
        killed.identity().signal(Signal::SIGKILL).unwrap();
        killed.ended().await.unwrap();
        self.spawn(None);
        eventually("haproxy serves again", async || self.socket.info().await.is_ok()).await;
    }

    /// Tries to start a second process on the same ports, without the listeners of the first, and
    /// returns whether it ends by itself.
    pub(super) async fn second(&mut self) -> bool {
        let mut program = self.haproxy.serve(self.deployment(), 0, None);
        let handover = program.args.iter().position(|arg| arg == "-x").unwrap();
        program.args.drain(handover..handover + 2);
        let mut second = self.spawn_program(&program);
        let ended = tokio::time::timeout(Duration::from_secs(20), second.ended())
            .await
            .is_ok();
        let _ = second.identity().signal(Signal::SIGKILL);
        ended
    }

    fn pid(&self) -> u32 {
        self.processes.last().unwrap().identity().pid
    }

    fn write_files(&self) {
        let files = self.haproxy.files(self.deployment()).unwrap();
        let orders = self.haproxy.order_files(self.deployment(), &self.away).unwrap();
        for file in files.iter().chain(&orders) {
            atomic_file::replace(&file.path, file.content.as_bytes(), atomic_file::PRIVATE).unwrap();
        }
    }

    fn deployment(&self) -> Deployment<'_> {
        deployment(&self.cluster, &self.plan, &self.run_dir)
    }

    fn spawn(&mut self, replacing: Option<u32>) {
        let program = self.haproxy.serve(self.deployment(), 0, replacing);
        let process = self.spawn_program(&program);
        self.processes.push(process);
    }

    fn spawn_program(&self, program: &Program) -> Process {
        program.spawn(&self.run_dir.log("haproxy")).unwrap()
    }
}

impl rendered::Running for Running {
    const KIND: BalancerKind = BalancerKind::Haproxy;

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
        for process in &self.processes {
            let _ = process.identity().signal(Signal::SIGKILL);
        }
    }
}

/// Opens the listeners that HAProxy gets by `-x`, as the supervisor does.
fn hand_over(haproxy: &dyn Balancer, deployment: Deployment<'_>) -> (Vec<Group>, Handover) {
    let groups = open_groups(deployment);
    let handover = Handover::open(&haproxy.handover(deployment, 0).unwrap()).unwrap();
    handover.give(all_of(&groups, deployment.plan.balancer.sockets));
    (groups, handover)
}

/// Listens on each address: for clients with as many sockets as planned, for a page with one.
pub(crate) fn open_groups(deployment: Deployment<'_>) -> Vec<Group> {
    let listeners = deployment.plan.listeners(deployment.cluster);
    listeners
        .map(|at| Group::open(at.address, at.members).unwrap())
        .collect()
}

/// The listeners of all `groups`, which have at most so many `members` each.
pub(crate) fn all_of(groups: &[Group], members: u16) -> Vec<Arc<TcpListener>> {
    let of_group = |group: &Group| -> Vec<_> {
        let all = 0..members;
        all.filter_map(|member| group.listener(member)).collect()
    };
    groups.iter().flat_map(of_group).collect()
}

/// Waits until `holds`, for 20 seconds at most.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "timed out waiting for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ports that no program listens on. They are not ephemeral ones, which an outgoing connection of any
/// program could take before the balancer binds them.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| {
        let next = || FIRST_PORT + NEXT_PORT.fetch_add(1, Ordering::Relaxed) % PORTS;
        let candidates = std::iter::repeat_with(next).take(PORTS.into());
        candidates
            .filter(|port| harness::unused((Ipv4Addr::UNSPECIFIED, *port).into()).is_ok())
            .find(|port| harness::unused((Ipv6Addr::UNSPECIFIED, *port).into()).is_ok())
            .unwrap()
    })
}
