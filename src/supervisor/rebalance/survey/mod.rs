//! What is known of the connections now: which node holds each, how long it was idle, and which
//! node its client gets next.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::nginx;
use super::plan::{Destination, Group, Load};
use super::returning::Counts;
use crate::api::Refusal;
use crate::haproxy_api::{RuntimeError, SessionLine, Socket};
use crate::platform::Identity;
use crate::platform::ports::sockets_of;
use crate::platform::sock_diag::{Connection, accepted_at, opened_to};
use crate::platform::worker::children;
use crate::render::{BackendRule, Held, ReconnectRule, Server, reconnect_rules, servers};
use crate::supervisor::spec::Spec;

/// Which connections matter.
#[derive(Clone)]
pub(in crate::supervisor) struct Scope {
    pub(in crate::supervisor) spec: Arc<Spec>,
    /// The nodes that take clients now.
    pub(in crate::supervisor) serving: Vec<String>,
    /// The balancer's processes.
    pub(in crate::supervisor) balancers: Vec<Identity>,
    /// Former balancer processes that still have connections.
    pub(in crate::supervisor) former: Vec<Identity>,
    /// Whether `WebSockets` and event streams may be closed.
    pub(in crate::supervisor) streams: bool,
    /// The nodes that clients were assigned to by their addresses, by backend and address.
    pub(in crate::supervisor) assigned: Assigned,
}

/// The nodes of clients, by backend and address.
pub(in crate::supervisor) type Assigned = BTreeMap<(&'static str, IpAddr), String>;

/// The connections at one moment.
#[derive(Clone, Debug, Default)]
pub(in crate::supervisor) struct Survey {
    /// The nodes that take clients, with their connections.
    pub(in crate::supervisor) loads: Vec<Load>,
    /// The connections of nodes that do not take clients any more.
    pub(in crate::supervisor) elsewhere: u64,
    /// All of these connections by client address; `None` where addresses are not shown.
    pub(in crate::supervisor) clients: Option<BTreeMap<IpAddr, u64>>,
    /// The connections that may be closed, as places in `targets`.
    pub(in crate::supervisor) groups: Vec<Group>,
    pub(in crate::supervisor) targets: Vec<Target>,
    /// Why other connections stay, with their number.
    pub(in crate::supervisor) kept: BTreeMap<Kept, u64>,
    /// The nodes that get less than their share of new clients for a while, because they have just
    /// come back.
    pub(in crate::supervisor) slow: BTreeSet<String>,
}

/// How one connection is closed.
#[derive(Clone, Debug)]
pub(in crate::supervisor) enum Target {
    /// By an order to a balancer process.
    Session {
        socket: PathBuf,
        session: SessionLine,
        backend: &'static str,
    },
    /// By the kernel.
    Connection(Connection),
}

impl Target {
    /// The client's address, where that is shown.
    pub(super) fn client(&self) -> Option<IpAddr> {
        match self {
            Target::Session { session, .. } => Some(session.client.ip()),
            Target::Connection(_) => None,
        }
    }
}

/// Why connections are not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::supervisor) enum Kept {
    /// Their kind is spared.
    Spared(Held),
    /// Their clients come back to the same node.
    ComesBack(Held),
    /// Which node their clients would get is not known.
    UnknownNode(Held),
    /// A former balancer process has them.
    AtFormerBalancer,
    /// nginx has them, and does not show what they are.
    NotShown,
}

impl Survey {
    /// Reads the connections.
    ///
    /// # Errors
    /// When the balancer or the kernel does not show them.
    pub(in crate::supervisor) async fn read(scope: &Scope) -> Result<Survey, Refusal> {
        let mut survey = if scope.spec.sockets().is_empty() {
            nginx::read(scope).await?
        } else {
            of_sessions(scope).await?
        };
        add_former(scope, &mut survey).await?;
        Ok(survey)
    }

    /// No connections on the nodes that take clients.
    pub(super) fn empty(scope: &Scope) -> Survey {
        let load = |name: &String| Load {
            node: name.clone(),
            weight: scope.weight(name),
            connections: 0,
        };
        Survey {
            loads: scope.serving.iter().map(load).collect(),
            ..Survey::default()
        }
    }

    /// How many connections of each node may be closed.
    pub(in crate::supervisor) fn may_be_closed(&self) -> Vec<u64> {
        let mut counts = vec![0; self.loads.len()];
        for group in &self.groups {
            if let Some(count) = counts.get_mut(group.from) {
                *count += group.connections.len() as u64;
            }
        }
        counts
    }

    pub(super) fn keep(&mut self, why: Kept) {
        *self.kept.entry(why).or_default() += 1;
    }

    /// The number of connections by client address. A node that does not take clients any more keeps
    /// those that it has: their clients are not on their way back.
    pub(super) fn counts(&self) -> Counts {
        let Some(clients) = &self.clients else {
            let serving: u64 = self.loads.iter().map(|load| load.connections).sum();
            return [(None, serving + self.elsewhere)].into();
        };
        let clients = clients.iter();
        clients.map(|(address, count)| (Some(*address), *count)).collect()
    }

    pub(super) fn count(&mut self, node: usize) {
        if let Some(load) = self.loads.get_mut(node) {
            load.connections += 1;
        }
    }

    /// Adds a connection that moves by itself.
    pub(super) fn add(&mut self, from: usize, to: Destination, idle: Duration, target: Target) {
        self.groups.push(Group {
            from,
            to,
            idle,
            connections: vec![self.targets.len()],
        });
        self.targets.push(target);
    }
}

impl Scope {
    /// The place of a node among those that take clients.
    pub(super) fn place(&self, node: &str) -> Option<usize> {
        self.serving.iter().position(|name| name == node)
    }

    /// The places of the nodes that take clients, and their addresses over TCP.
    pub(super) fn tcp_nodes(&self) -> Vec<(usize, SocketAddr)> {
        let nodes = self.spec.cluster.nodes.iter();
        nodes
            .filter_map(|node| Some((self.place(&node.name)?, node.tcp?)))
            .collect()
    }

    fn weight(&self, node: &str) -> u64 {
        self.spec
            .cluster
            .node(node)
            .map_or(1, |node| u64::from(node.weight))
    }
}

/// The kernel's list of connections cannot be read.
pub(super) fn unreadable(error: &io::Error) -> Refusal {
    Refusal {
        error: format!("cannot read the kernel's list of connections: {error}"),
        hint: None,
    }
}

/// The balancer does not do what it is asked.
pub(super) fn refused(error: &RuntimeError) -> Refusal {
    Refusal {
        error: error.to_string(),
        hint: error.hint(),
    }
}

/// Reads from the kernel, on a thread that may block.
pub(super) async fn from_kernel<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| unreadable(&error))
}

/// Those of the connections that the processes have, or their children.
pub(super) fn held_by(processes: &[Identity], connections: Vec<Connection>) -> Vec<Connection> {
    let inodes = connections.iter().map(|connection| connection.inode).collect();
    let with_children = |process: &Identity| {
        let children = children(process.pid);
        // Checked afterwards: the pid may belong to another process now.
        let processes = std::iter::once(process.pid).chain(children);
        processes.filter(|_| process.is_alive()).collect::<Vec<_>>()
    };
    let processes: Vec<u32> = processes.iter().flat_map(with_children).collect();
    let held = sockets_of(&processes, &inodes);
    let connections = connections.into_iter();
    connections.filter(|it| held.contains(&it.inode)).collect()
}

// Private

/// The connections of a balancer that shows its sessions.
async fn of_sessions(scope: &Scope) -> Result<Survey, Refusal> {
    let spec = &scope.spec;
    let sockets = spec.sockets();
    let asked = sockets.iter().map(|path| {
        let socket = Socket::new(path);
        async move { socket.sessions().await }
    });
    let mut sessions = Vec::new();
    for (path, answer) in sockets.iter().zip(join_all(asked).await) {
        let answer = answer.map_err(|error| Refusal {
            error: format!("{} does not show its sessions: {error}", spec.balancer.kind()),
            hint: error.hint(),
        })?;
        sessions.extend(answer.into_iter().map(|session| (path, session)));
    }
    let public = spec.public_addresses();
    let accepted = from_kernel(move || accepted_at(&public)).await?;
    let idle: HashMap<SocketAddr, Duration> = accepted
        .into_iter()
        .map(|connection| (connection.peer, connection.activity.idle()))
        .collect();

    let backends = reconnect_rules(&spec.cluster, true);
    let mut survey = Survey::empty(scope);
    let mut clients: BTreeMap<IpAddr, u64> = BTreeMap::new();
    // By process, backend, address and node.
    let mut by_address: BTreeMap<(&PathBuf, &str, IpAddr, usize), usize> = BTreeMap::new();
    for (path, session) in sessions {
        let Some(BackendRule { backend, held, rule }) =
            backends.iter().find(|it| it.backend == session.backend).copied()
        else {
            continue;
        };
        *clients.entry(session.client.ip()).or_default() += 1;
        let Some(from) = scope.place(&session.server) else {
            survey.elsewhere += 1;
            continue;
        };
        survey.count(from);
        if let Some(why) = kept(held, rule, scope.streams) {
            survey.keep(why);
            continue;
        }
        let idle = idle.get(&session.client).copied().unwrap_or_default();
        let client = session.client.ip();
        let target = Target::Session {
            socket: path.clone(),
            session,
            backend,
        };
        let to = match rule {
            ReconnectRule::RoundRobin => Destination::RoundRobin,
            ReconnectRule::LeastConnections => Destination::LeastConnections,
            _ => {
                let known = by_address.get(&(path, backend, client, from));
                if let Some(group) = known.and_then(|at| survey.groups.get_mut(*at)) {
                    group.connections.push(survey.targets.len());
                    group.idle = group.idle.min(idle);
                    survey.targets.push(target);
                    continue;
                }
                by_address.insert((path, backend, client, from), survey.groups.len());
                let assigned = scope.assigned.get(&(backend, client));
                assigned
                    .and_then(|node| scope.place(node))
                    .map_or(Destination::Assigned, Destination::Node)
            }
        };
        survey.add(from, to, idle, target);
    }
    let chosen = backends
        .iter()
        .filter(|it| kept(it.held, it.rule, scope.streams).is_none() && it.rule != ReconnectRule::TableEntry);
    let chosen: BTreeSet<&str> = chosen.map(|it| it.backend).collect();
    if !chosen.is_empty() {
        survey.slow = slow(scope, &chosen).await?;
    }
    survey.clients = Some(clients);
    Ok(survey)
}

/// The nodes whose weight in one of these backends is less than the configured one.
async fn slow(scope: &Scope, backends: &BTreeSet<&str>) -> Result<BTreeSet<String>, Refusal> {
    let cluster = &scope.spec.cluster;
    let mut slow = BTreeSet::new();
    for path in scope.spec.sockets() {
        let rows = Socket::new(path).stat().await.map_err(|error| refused(&error))?;
        for node in &scope.serving {
            let has_less = |server: &Server| {
                let mut rows = rows.iter().filter(|row| row.is_server());
                let row = rows.find(|row| row.proxy() == server.backend && row.name() == server.server);
                let weight = row.and_then(|row| row.number("weight"));
                backends.contains(server.backend)
                    && weight.is_some_and(|weight| weight < server.weight.into())
            };
            if servers(cluster, node).iter().any(has_less) {
                slow.insert(node.clone());
            }
        }
    }
    Ok(slow)
}

/// Adds the TCP connections of former balancer processes, which show no sessions any more.
async fn add_former(scope: &Scope, survey: &mut Survey) -> Result<(), Refusal> {
    if scope.former.is_empty() {
        return Ok(());
    }
    let (nodes, former) = (scope.tcp_nodes(), scope.former.clone());
    let addresses: Vec<SocketAddr> = nodes.iter().map(|(_, address)| *address).collect();
    let held = from_kernel(move || Ok(held_by(&former, opened_to(&addresses)?))).await?;
    for connection in held {
        if let Some((node, _)) = nodes.iter().find(|(_, address)| *address == connection.peer) {
            survey.count(*node);
            survey.keep(Kept::AtFormerBalancer);
        }
    }
    Ok(())
}

/// Why a connection is not closed, if it is not.
fn kept(held: Held, rule: ReconnectRule, streams: bool) -> Option<Kept> {
    match rule {
        ReconnectRule::SameNode => Some(Kept::ComesBack(held)),
        ReconnectRule::Unknown | ReconnectRule::ComputedNode => Some(Kept::UnknownNode(held)),
        _ if held != Held::Tcp && !streams => Some(Kept::Spared(held)),
        ReconnectRule::RoundRobin | ReconnectRule::LeastConnections | ReconnectRule::TableEntry => None,
    }
}
