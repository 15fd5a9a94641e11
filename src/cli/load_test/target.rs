//! The target of the test: the cluster's own balancer, or any listener.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use super::target_url::Target;
use crate::api::{Client, ClientError, ClusterState, Distribution, GetStatus, Node, NodeState, Status};
use crate::base::units::excerpt;
use crate::cli::args::LoadTest;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::settings::Settings;
use crate::cli::suggestions;
use crate::load_test::{Cluster, Member, Order, Protocol, Sources};
use crate::mcp::Revision;
use crate::plan::{self, Demand, GeneratorPlan, Room};
use crate::platform::Host;
use crate::profile::{self, Runtime, Sticky};
use crate::render;

/// The test that the arguments describe, planned for this host.
///
/// # Errors
/// When there is nothing to test, or the test does not fit on this host.
pub(super) async fn order(settings: &Settings, printer: &Printer, args: &LoadTest) -> Result<Order, Failure> {
    let target = match &args.target {
        Some(target) => TestTarget::at(settings, target, args).await?,
        None => TestTarget::own(settings, printer, args).await?,
    };
    let GeneratorPlan {
        workers,
        sources,
        rate,
        messages_per_second,
        ..
    } = plan::generator(&target.demand(args), &Host::read()).map_err(does_not_fit)?;
    let sources = if target.is_on_loopback() {
        Sources::loopback(sources, seed())
    } else {
        Sources::NONE
    };
    for warning in &target.warnings {
        printer.warning(warning);
    }
    Ok(Order {
        target: target.target,
        authority: target.authority,
        path: target.path,
        protocol: target.protocol,
        revision: target.revision,
        connections: args.connections,
        hold: args.hold.duration(),
        rate,
        messages_per_second,
        sources,
        timeout: args.timeout.duration(),
        workers,
        cluster: target.cluster,
        targets: target.profile.targets,
        fail_on_latency: args.fail_on.is_some(),
    })
}

// Private

/// The target of a test.
struct TestTarget {
    target: SocketAddr,
    authority: String,
    protocol: Protocol,
    revision: Revision,
    path: String,
    /// Connections that the cluster has room for.
    room: Option<Room>,
    cluster: Option<Cluster>,
    profile: profile::Cluster,
    warnings: Vec<String>,
}

impl TestTarget {
    /// The listener at `target`.
    async fn at(settings: &Settings, target: &str, args: &LoadTest) -> Result<TestTarget, Failure> {
        let target = Target::read(target, args.protocol)
            .map_err(|error| Failure::usage(error.to_string()).hint(error.hint.clone()))?;
        let revision = revision(args, target.protocol)?;
        let resolved = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let no_address = |why: &str| {
            Failure::usage(format!("cannot resolve `{}`: {why}", excerpt(&target.authority)))
                .hint("`--target 127.0.0.1:8000`, or a name that this host knows".to_owned())
        };
        let address = match resolved.map(|mut all| all.next()) {
            Ok(Some(address)) => address,
            Ok(None) => return Err(no_address("the name has no address")),
            Err(error) => return Err(no_address(&error.to_string())),
        };
        Ok(TestTarget {
            target: address,
            authority: target.authority,
            protocol: target.protocol,
            revision,
            path: target.path,
            room: None,
            cluster: None,
            profile: settings.cluster()?,
            warnings: Vec::new(),
        })
    }

    /// The balancer of the running cluster.
    async fn own(settings: &Settings, printer: &Printer, args: &LoadTest) -> Result<TestTarget, Failure> {
        let profile = settings.cluster()?;
        let protocol = args.protocol.unwrap_or(if profile.has_tcp() {
            Protocol::Tcp
        } else {
            Protocol::Http
        });
        let revision = revision(args, protocol)?;
        let supervisor = Client::connect(&settings.run_dir()?.control_socket())
            .await
            .map_err(unreached)?;
        let status = settled(&supervisor, printer, args.connections).await?;
        let target = listener(&status, protocol)?;
        let resting = status.nodes.iter().filter(|node| !takes_clients(node));
        let warnings: Vec<String> = resting
            .map(|node| format!("{} takes no clients: {}", node.name, standing(node)))
            .chain(
                status
                    .balancer
                    .iter()
                    .flat_map(|balancer| balancer.overrides.clone()),
            )
            .collect();
        if status.state == ClusterState::Down && !status.nodes.iter().any(takes_clients) {
            for warning in &warnings {
                printer.warning(warning);
            }
            return Err(
                Failure::because("no node takes clients, so nothing can be tested".to_owned())
                    .hint("`clusterctl ready NODE`".to_owned()),
            );
        }
        let cluster = cluster(supervisor, &status, &profile, protocol, args)?;
        Ok(TestTarget {
            target,
            authority: target.to_string(),
            protocol,
            revision,
            path: profile
                .path_behind(protocol.listener())
                .unwrap_or(protocol.path())
                .to_owned(),
            room: Some(room(&status, &profile)),
            cluster: Some(cluster),
            profile,
            warnings,
        })
    }

    /// The demand that the arguments describe, for this target.
    fn demand(&self, args: &LoadTest) -> Demand {
        let cluster = self.cluster.as_ref();
        Demand {
            connections: args.connections,
            side_requests: self.protocol == Protocol::Sse,
            on_loopback: self.is_on_loopback(),
            sources: args.sources,
            rate: args.rate,
            messages_per_second: args.messages_per_second,
            per_ip: cluster.map(|_| self.profile.limits.per_ip.clone()),
            room: self.room.clone(),
            parties: cluster.map(|cluster| (cluster.balancer, self.profile.runtime)),
        }
    }

    /// Whether every address of 127.0.0.0/8 can connect to it.
    fn is_on_loopback(&self) -> bool {
        matches!(self.target.ip(), IpAddr::V4(ip) if ip.is_loopback())
    }
}

/// The revision of MCP for clients of `protocol`.
fn revision(args: &LoadTest, protocol: Protocol) -> Result<Revision, Failure> {
    let revision = args.mcp.unwrap_or(Revision::NEWEST_WITH_SESSIONS);
    if args.mcp.is_some() && protocol != Protocol::Http {
        let why = format!("`--mcp` is for HTTP: it cannot be used with clients of {protocol}");
        let hint = format!("`--protocol http --mcp {revision}`");
        return Err(Failure::usage(why).hint(hint));
    }
    if args.failover.is_some() && !revision.has_sessions() {
        let why = format!("`--failover` needs clients with sessions: MCP {revision} has none");
        let hint = "leave `--mcp` out: without sessions, any node may serve the next request".to_owned();
        return Err(Failure::usage(why).hint(hint));
    }
    Ok(revision)
}

/// The cluster's status, once the effects of a previous test are over. A node that is held down
/// after a failure would be missing in the distribution, and come back during the test; and the
/// kernel needs some seconds to close a hundred thousand connections.
async fn settled(supervisor: &Client, printer: &Printer, connections: u32) -> Result<Status, Failure> {
    const POLL_INTERVAL: Duration = Duration::from_millis(250);
    const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

    let (began, mut noted) = (Instant::now(), false);
    let mut taken = None;
    loop {
        let status = supervisor.call(&GetStatus).await.map_err(unreached)?;
        let Distribution { capacity, total, .. } = status.distribution;
        let room = capacity.saturating_sub(total);
        // There would be room without the connections that are closing now.
        let closing = (room..capacity).contains(&(u64::from(connections) - 1))
            && taken.is_none_or(|taken| total < taken);
        let held = status.nodes.iter().find(|node| node.state == NodeState::HeldBack);
        let why = match held {
            Some(held) => format!("{} is {}", held.name, standing(held)),
            None if closing => format!("{total} connections are taken"),
            None => return Ok(status),
        };
        if began.elapsed() > SETTLE_TIMEOUT {
            return Ok(status);
        }
        if !noted {
            printer.note(&format!("waiting: {why}"));
            noted = true;
        }
        taken = Some(total);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Whether the balancer gives it new clients.
fn takes_clients(node: &Node) -> bool {
    node.state == NodeState::Up
}

/// The state of a node, in words.
fn standing(node: &Node) -> String {
    match &node.reason {
        Some(reason) if node.state == NodeState::HeldBack || reason.starts_with(node.state.name()) => {
            reason.clone()
        }
        Some(reason) => format!("{}: {reason}", node.state.name()),
        None => node.state.name().to_owned(),
    }
}

/// The connections that the cluster has room for, and the limit in its plan that bounds them.
fn room(status: &Status, profile: &profile::Cluster) -> Room {
    let Distribution { capacity, total, .. } = status.distribution;
    let wanted = profile.limits.maxconn;
    let lowered = || {
        let kind = status.balancer.as_ref()?.kind;
        let plan = plan::plan(&profile.clone().behind(kind), kind, &Host::read());
        Some(plan.warnings.first()?.to_string())
    };
    let why = match total {
        0 if capacity < wanted.into() => lowered(),
        0 => None,
        _ => Some(format!("{total} of {capacity} are taken")),
    };
    Room {
        connections: u32::try_from(capacity.saturating_sub(total)).unwrap_or(u32::MAX),
        why: why.unwrap_or_else(|| format!("its `limits.maxconn` is {wanted}")),
    }
}

/// Where the balancer listens for `protocol`.
fn listener(status: &Status, protocol: Protocol) -> Result<SocketAddr, Failure> {
    let balancer = status.balancer.as_ref().ok_or_else(|| {
        Failure::because("the cluster runs without a balancer")
            .exit(Exit::Unclear)
            .hint("`clusterctl start` starts one; `--target` tests another address".to_owned())
    })?;
    let address = balancer.endpoints.listeners.get(protocol.listener());
    address.copied().ok_or_else(|| {
        let key = protocol.listener();
        let service = if protocol == Protocol::Tcp {
            "raw TCP"
        } else {
            "HTTP"
        };
        Failure::because(format!(
            "{} does not serve {protocol}: the profile has no `listen.{key}`, or its nodes have no {service}",
            balancer.kind
        ))
        .exit(Exit::Unclear)
        .hint("`clusterctl status` shows the listeners".to_owned())
    })
}

fn cluster(
    supervisor: Client,
    status: &Status,
    profile: &profile::Cluster,
    protocol: Protocol,
    args: &LoadTest,
) -> Result<Cluster, Failure> {
    let balancer = status.balancer.as_ref();
    let over_http = protocol != Protocol::Tcp;
    let nodes = status.nodes.iter().filter_map(|node| {
        Some(Member {
            name: node.name.clone(),
            address: if over_http { node.http } else { node.tcp }?,
            weight: profile.node(&node.name).map_or(1, |node| node.weight),
        })
    });
    let route = match protocol {
        Protocol::Tcp => profile.routing.tcp,
        Protocol::Http => profile.routing.http,
        Protocol::Ws => profile.routing.websocket,
        Protocol::Sse => profile.routing.sse,
    };
    if let Some(node) = &args.failover {
        may_fail(status, profile.runtime, node)?;
    }
    Ok(Cluster {
        name: status.cluster.clone(),
        balancer: balancer.map_or(profile.balancer, |balancer| balancer.kind),
        backend: render::backend_behind(protocol.listener()),
        nodes: nodes.collect(),
        cookie: profile.routing.cookie.clone(),
        resting: status
            .nodes
            .iter()
            .filter(|node| !takes_clients(node))
            .map(|node| node.name.clone())
            .collect(),
        on_this_host: profile.runtime != Runtime::External,
        // Only a client that keeps a session's id is sticky by it: one that comes back without it
        // is new.
        sticky: matches!(route.sticky, Sticky::Source | Sticky::Cookie),
        chosen_by: balancer.and_then(|balancer| balancer.chosen_by.get(protocol.listener()).copied()),
        processes: balancer.map_or(1, |balancer| {
            u16::try_from(balancer.stats_sockets.len()).unwrap_or(u16::MAX)
        }),
        supervisor,
        failover: args.failover.clone().map(|node| (node, args.failover_mode)),
    })
}

/// Checks that `node` can be made to fail, and that other nodes are available to its clients.
fn may_fail(status: &Status, runtime: Runtime, node: &str) -> Result<(), Failure> {
    let Some(known) = status.nodes.iter().find(|known| known.name == node) else {
        return Err(suggestions::unknown(
            "node",
            node,
            status.nodes.iter().map(|node| node.name.as_str()),
        ));
    };
    let cannot =
        |why: &str| Failure::because(format!("`{node}` cannot be made to fail: {why}")).exit(Exit::Unclear);
    let others = status
        .nodes
        .iter()
        .filter(|other| other.name != node && other.state == NodeState::Up);
    match known.pid {
        _ if runtime == Runtime::External => Err(cannot("it is not run by this cluster")),
        None => Err(cannot("it has no running process")),
        Some(_) if known.state != NodeState::Up => Err(cannot("it is not up")),
        Some(_) if others.count() == 0 => Err(cannot("no other node is up that its clients could use")),
        Some(_) => Ok(()),
    }
}

fn unreached(error: ClientError) -> Failure {
    let hint = matches!(error, ClientError::NotRunning(_))
        .then(|| "`clusterctl start` starts it; `--target HOST:PORT` tests another address".to_owned());
    let failure = Failure::from(error).exit(Exit::Unclear);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn does_not_fit(warning: plan::Warning) -> Failure {
    Failure::because(warning.to_string())
        .exit(Exit::Unclear)
        .hint(warning.fix)
}

/// Where in the pool of addresses a test begins: it moves on by eight addresses a millisecond, and
/// wraps around after half an hour. So a test shares no address with a recent one, whose clients
/// may still be in a table of sticky clients, some of them moved by a failure.
fn seed() -> u32 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_millis() * 8 % u128::from(plan::CLIENT_SOURCES)).unwrap_or(0)
}
