//! The settings that stay the same while a supervisor runs, unless it is reloaded.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::change::mixture::Others;
use super::health::liveness::ANSWER_TIMEOUT;
use super::node_environment::NodeEnvironment;
use super::node_runtime::NodeRuntime;
use super::process::readiness::Readiness;
use super::process::stop_sequence::StopSequence;
use super::state_file::Launch;
use super::waves::ChildId;
use crate::balancer::{Balancer, ConfigFile, Deployment, FilesError};
use crate::base::units::Period;
use crate::erlang::beam;
use crate::plan::{Listener, PROBE_SOURCE, Plan};
use crate::platform::{Instance, Program, RunDir, self_exe};
use crate::probe::{Probe, Question, RevisionQuery, Service};
use crate::profile::{BalancerKind, Cluster, Node, NodeId, Restart};
use crate::render::{RenderError, Templates, cluster_config, frontend_behind};

/// The time that a stopping node gets until it is killed.
const NODE_GRACE: Duration = Duration::from_secs(5);
/// The time that a stopping BEAM node gets after each SIGTERM. In a mesh it disconnects from the
/// others, which takes about 3 seconds. A node that is just starting ignores the signal, so it is
/// sent again.
const BEAM_TERMS: [Duration; 3] = [
    Duration::from_secs(4),
    Duration::from_secs(3),
    Duration::from_secs(3),
];
/// The time that a stopping balancer gets, after its connections had their grace period, until it
/// is killed.
const BALANCER_GRACE: Duration = Duration::from_secs(2);

/// The profile and everything made from it.
#[derive(Clone)]
pub(super) struct Spec {
    pub(super) launch: Launch,
    pub(super) cluster: Cluster,
    pub(super) plan: Plan,
    pub(super) balancer: Arc<dyn Balancer>,
    pub(super) run_dir: RunDir,
    pub(super) templates: Templates,
    /// What the nodes run.
    pub(super) node_runtime: NodeRuntime,
    /// The variables that the nodes get.
    pub(super) node_environment: NodeEnvironment,
    /// Nodes that still run as something else describes them.
    pub(super) others: Others,
    /// Nodes that are not part of the cluster any more, and whose processes still run.
    pub(super) former: Vec<Node>,
}

impl Spec {
    /// The child's name in the state file and of its log file, which all balancer instances share.
    pub(super) fn name(&self, id: ChildId) -> &str {
        match id {
            ChildId::Node(node) => self.node_name(node),
            ChildId::Balancer(_) => self.balancer.kind().name(),
            ChildId::Retired(kind, _) => kind.name(),
        }
    }

    /// The node with this id, which may be a former one.
    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        let former = || self.former.iter().find(|node| node.id == id);
        self.cluster.by_id(id).or_else(former)
    }

    /// The node's name; empty for a node that is not known any more.
    pub(super) fn node_name(&self, id: NodeId) -> &str {
        self.node(id).map_or("", |node| &node.name)
    }

    /// The child's name for people, with the index of one of several balancer instances.
    pub(super) fn title(&self, id: ChildId) -> String {
        let name = self.name(id);
        match id {
            ChildId::Balancer(index) => match self.plan.balancer.instance(index) {
                Instance::Only => name.to_owned(),
                Instance::Numbered(number) => format!("{name}-{number}"),
            },
            ChildId::Node(_) | ChildId::Retired(..) => name.to_owned(),
        }
    }

    /// The log of all balancer instances.
    pub(super) fn balancer_log(&self) -> PathBuf {
        self.run_dir.log(self.balancer.kind().name())
    }

    /// The addresses that the balancer listens on.
    pub(super) fn listeners(&self) -> impl Iterator<Item = Listener> {
        self.plan.listeners(&self.cluster)
    }

    /// The addresses for clients, without those of the pages.
    pub(super) fn public_addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.plan.addresses.iter();
        let ports = |ip: &IpAddr| {
            let ports = self.cluster.listen.ports();
            let ip = *ip;
            ports
                .map(move |(_, port)| SocketAddr::new(ip, port))
                .collect::<Vec<_>>()
        };
        addresses.flat_map(ports).collect()
    }

    /// Every child that this supervisor may own. External nodes are not included.
    pub(super) fn children(&self) -> impl Iterator<Item = ChildId> {
        let nodes = self.cluster.ids();
        let nodes = nodes.filter(|node| self.is_own(*node));
        let balancers = usize::from(self.plan.balancer.instances);
        nodes
            .map(ChildId::Node)
            .chain((0..balancers).map(ChildId::Balancer))
    }

    /// The deployment that the balancer serves.
    pub(super) fn deployment(&self) -> Deployment<'_> {
        Deployment {
            cluster: &self.cluster,
            plan: &self.plan,
            run_dir: &self.run_dir,
            templates: &self.templates,
            owned: true,
            generation: self.launch.generation,
        }
    }

    /// The names of the balancer's frontends: for clients, and for its pages.
    pub(super) fn frontends(&self) -> BTreeSet<&'static str> {
        let keys = self.cluster.listen.ports().map(|(key, _)| key);
        keys.filter(|key| *key == "tcp" || self.cluster.has_http())
            .map(frontend_behind)
            .chain(self.balancer.page_frontends(self.deployment()))
            .collect()
    }

    /// The runtime API sockets of all balancer instances; empty for a balancer without one.
    pub(super) fn sockets(&self) -> Vec<PathBuf> {
        self.balancer.sockets(self.deployment())
    }

    /// The runtime API socket of a balancer instance, for balancers that have one.
    pub(super) fn socket(&self, instance: usize) -> Option<PathBuf> {
        self.sockets().get(instance).cloned()
    }

    /// How a balancer instance shows that it serves.
    pub(super) fn readiness(&self, instance: usize) -> Readiness {
        let page = || {
            self.balancer
                .status_socket(self.deployment())
                .map(Readiness::StatusPage)
        };
        let api = self.socket(instance).map(Readiness::RuntimeApi);
        api.or_else(page).unwrap_or(Readiness::Running)
    }

    /// The program of the child; `None` for a child that is never started again.
    pub(super) fn program(&self, id: ChildId) -> Option<Program> {
        match id {
            ChildId::Node(node) => self.of_node(node).node_program(node),
            ChildId::Balancer(instance) => Some(self.balancer.serve(self.deployment(), instance, None)),
            ChildId::Retired(..) => None,
        }
    }

    /// Writes the files that the child reads when it starts. The balancer's files are there
    /// already.
    pub(super) fn write_child_files(&self, id: ChildId) -> io::Result<()> {
        let ChildId::Node(id) = id else { return Ok(()) };
        let spec = self.of_node(id);
        match (&spec.node_runtime, spec.cluster.by_id(id)) {
            (NodeRuntime::Erlmcp(erlmcp), Some(node)) => erlmcp.furnish(node, &spec.plan.nodes),
            _ => Ok(()),
        }
    }

    /// The restart policy of a child. A balancer waits a second at most, because all clients depend
    /// on it.
    pub(super) fn restart(&self, id: ChildId) -> Restart {
        let mut policy = self.cluster.restart;
        if !matches!(id, ChildId::Node(_)) {
            let longest = policy.backoff.from.max(Period::from(Duration::from_secs(1)));
            policy.backoff.to = policy.backoff.to.min(longest);
        }
        policy
    }

    /// How long a node that has failed gets no clients: the time that the balancer's own checks
    /// would take to raise a server.
    pub(super) fn hold(&self) -> Duration {
        let health = &self.cluster.health;
        health.interval.duration().saturating_mul(health.rise.into())
    }

    /// Time between two orders to hold a node back. An order lasts for `rise` good checks, which
    /// are a fast interval apart; this time is so much shorter that a few orders may be late. Only
    /// with a `rise` of 1 the node may be raised in between.
    pub(super) fn reminder(&self) -> Duration {
        const PARTS: u32 = 4;
        self.cluster.health.fast_interval().duration() / PARTS
    }

    /// How the child is stopped; a balancer's connections get `grace` to end by themselves, and those
    /// that are left are closed over `over`.
    pub(super) fn stop_sequence(&self, id: ChildId, grace: Duration, over: Duration) -> StopSequence {
        match id {
            ChildId::Node(node) => {
                let stop_sequence = match self.node(node).and_then(|node| node.distribution) {
                    Some(_) => BEAM_TERMS.to_vec(),
                    None => vec![NODE_GRACE],
                };
                StopSequence(
                    stop_sequence
                        .into_iter()
                        .map(|grace| (Signal::SIGTERM, grace))
                        .collect(),
                )
            }
            ChildId::Balancer(_) => {
                balancer_stop_sequence(self.balancer.kind(), grace, over, self.closes_clients(id))
            }
            ChildId::Retired(kind, _) => balancer_stop_sequence(kind, grace, over, self.closes_clients(id)),
        }
    }

    /// Whether the child closes its clients itself when the cluster is stopped. A former balancer
    /// does only where it reads the same orders as the one in force.
    pub(super) fn closes_clients(&self, id: ChildId) -> bool {
        let in_force = self.balancer.kind();
        let is_ordered = match id {
            ChildId::Node(_) => false,
            ChildId::Balancer(_) => true,
            ChildId::Retired(kind, _) => kind == in_force,
        };
        is_ordered && in_force.facts().closes_clients
    }

    /// The probes of every node.
    pub(super) fn node_probes(&self) -> impl Iterator<Item = (NodeId, Vec<Probe>)> {
        let nodes = self.cluster.nodes.iter();
        nodes.map(|node| (node.id, self.probes(node)))
    }

    /// The probes of the node.
    pub(super) fn probes(&self, node: &Node) -> Vec<Probe> {
        let mut asked: Vec<(SocketAddr, Question)> = [Service::Tcp, Service::Http]
            .into_iter()
            .filter_map(|service| Question::for_node(&self.of_node(node.id).cluster, service, node))
            .collect();
        // Both services can have the same probe.
        asked.dedup();
        let probe = |(target, question)| Probe {
            target,
            question,
            source: source(target),
            timeout: ANSWER_TIMEOUT,
        };
        asked.into_iter().map(probe).collect()
    }

    /// The query for the revisions of MCP that the node serves.
    pub(super) fn revision_query(&self, node: &Node) -> RevisionQuery {
        let cluster = &self.of_node(node.id).cluster;
        RevisionQuery {
            tcp: node.tcp,
            http: node.http,
            path: cluster.mcp_path().to_owned(),
            sse_paths: cluster.routing.paths.sse.clone(),
            source: node.addresses().next().and_then(source),
        }
    }

    /// All files that the balancer and the nodes read.
    ///
    /// # Errors
    /// When the balancer cannot serve the cluster, or a template cannot be rendered.
    pub(super) fn files(&self) -> Result<Vec<ConfigFile>, FilesError> {
        let mut files = self.balancer.files(self.deployment())?;
        files.extend(self.node_files()?);
        Ok(files)
    }

    /// The files that nodes read.
    ///
    /// # Errors
    /// When a template override cannot be read, parsed or rendered.
    pub(super) fn node_files(&self) -> Result<Option<ConfigFile>, RenderError> {
        if !matches!(self.node_runtime, NodeRuntime::Beam(_)) {
            return Ok(None);
        }
        Ok(Some(ConfigFile {
            path: self.run_dir.erlang_config(),
            content: cluster_config(&self.cluster, &self.plan, &self.templates)?,
        }))
    }

    // Private

    fn node_program(&self, node: NodeId) -> Option<Program> {
        let node = self.cluster.by_id(node)?;
        let mut program = match &self.node_runtime {
            NodeRuntime::Beam(otp) => {
                beam::program(node, otp, &self.cluster, &self.plan.nodes, &self.run_dir)
            }
            NodeRuntime::Erlmcp(erlmcp) => erlmcp.program(node, &self.cluster.nodes, &self.plan.nodes),
            NodeRuntime::Command => self.command(node),
            // External nodes are never run here.
            NodeRuntime::Embedded | NodeRuntime::Elsewhere => self.embedded_node(node),
        };
        program.nofile = Some(self.plan.nodes.nofile);
        let variables = self.node_environment.of(&self.cluster, node);
        // What the runtime itself sets comes later, and so counts.
        program.env.splice(..0, variables);
        Some(program)
    }

    /// The profile's rules ensure that it names a command.
    fn command(&self, node: &Node) -> Program {
        let mut text = self.cluster.command.iter().map(|word| node.fill(word));
        let mut program = Program::new(text.next().unwrap_or_default()).args(text);
        let directory = self.cluster.directory.as_ref();
        program.directory = directory.map(|directory| node.fill(directory).into());
        program
    }

    fn embedded_node(&self, node: &Node) -> Program {
        let mut program = Program::new(self_exe())
            .args(["node", "--name", &node.name])
            .args(["--workers", &self.plan.nodes.workers.to_string()])
            .args(["--max-connections", &self.plan.nodes.maxconn.to_string()]);
        if let Some(tcp) = node.tcp {
            program = program.args(["--tcp", &tcp.to_string()]);
        }
        if let Some(http) = node.http {
            program = program.args(["--http", &http.to_string()]);
        }
        program.name = Some("clusterctl".into());
        program.with_huge_pages()
    }
}

// Private

/// How a balancer of this kind is stopped; its connections get `grace` to end by themselves, and those
/// that are left are closed over `over`, by itself or by the supervisor.
fn balancer_stop_sequence(
    kind: BalancerKind,
    grace: Duration,
    over: Duration,
    closes_clients: bool,
) -> StopSequence {
    let (grace, end) = if closes_clients {
        (grace, over + BALANCER_GRACE)
    } else {
        (grace + over, BALANCER_GRACE)
    };
    let end = (Signal::SIGTERM, end);
    if grace.is_zero() {
        return StopSequence(vec![end]);
    }
    StopSequence(vec![(kind.facts().drain_signal, grace), end])
}

fn source(target: SocketAddr) -> Option<IpAddr> {
    matches!(target.ip(), IpAddr::V4(ip) if ip.is_loopback()).then_some(PROBE_SOURCE)
}
