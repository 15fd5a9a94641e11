//! From a source to the cluster, and to the text of its effective values.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use super::cluster::{Certificate, Cluster, Erlmcp, HttpCheck, Listeners, Node};
use super::document::{Document, HealthCheck, HealthKind, Runtime, Tls};
use super::node_id::{NodeId, NodeIds};
use super::parsed::ParsedProfile;
use super::problem::Problems;
use super::rules;
use super::source::{Source, embedded};

/// The health path of the embedded node and of BEAM nodes.
const OWN_HEALTH_PATH: &str = "/health";

/// The addresses of host names, sorted.
pub type Resolved = BTreeMap<String, Vec<IpAddr>>;

/// Reads a profile, lays it over the defaults, and checks every rule. The ids of the nodes are their
/// positions. A member with a host name is one node at 0.0.0.0: [`load_with`] is for everything that
/// depends on its addresses.
///
/// # Errors
/// With everything that is wrong with it.
pub fn load(source: &Source) -> Result<Cluster, Problems> {
    let mut cluster = settled(source).map(cluster)?;
    NodeIds::default().assign(&mut cluster);
    Ok(cluster)
}

/// Reads a profile as [`load`] does. A member with a host name is a node for each of the addresses
/// in `resolved`, which are called by its name and their address.
///
/// # Errors
/// With everything that is wrong with it, and with each host name that `resolved` lacks.
pub fn load_with(source: &Source, resolved: &Resolved) -> Result<Cluster, Problems> {
    let mut cluster = settled_with(source, Some(resolved)).map(cluster)?;
    NodeIds::default().assign(&mut cluster);
    Ok(cluster)
}

/// The host names in a profile, which [`load_with`] needs to be resolved.
///
/// # Errors
/// With everything that is wrong with the profile.
pub fn hosts(source: &Source) -> Result<BTreeSet<String>, Problems> {
    let nodes = settled(source)?.nodes;
    let used = nodes
        .members
        .iter()
        .filter(|_| nodes.runtime == Runtime::External);
    Ok(used
        .filter_map(|member| member.host().map(str::to_owned))
        .collect())
}

/// Whether a balancer can connect to an address of a host.
#[must_use]
pub fn is_reachable(address: IpAddr) -> bool {
    rules::unreachable(address).is_none()
}

/// The effective values of a profile: all of its keys, as YAML. An embedded profile without changes
/// is printed as its own text.
///
/// # Errors
/// With everything that is wrong with it.
pub fn show(source: &Source) -> Result<String, Problems> {
    let document = settled(source)?;
    let unchanged = source.sets.is_empty() && source.port_offset == 0;
    if unchanged && embedded(&source.name) == Some(&source.text) {
        return Ok(source.text.clone());
    }
    Ok(serde_yaml::to_string(&document).unwrap_or_default())
}

/// The document that passes all rules, with its ports shifted and its paths made absolute.
///
/// # Errors
/// With everything that is wrong with it.
pub(super) fn settled(source: &Source) -> Result<Document, Problems> {
    settled_with(source, None)
}

// Private

fn settled_with(source: &Source, resolved: Option<&Resolved>) -> Result<Document, Problems> {
    let mut written = ParsedProfile::read(source).map_err(Problems)?;
    if let Some(resolved) = resolved {
        written.resolve(resolved);
    }
    let mut problems = rules::broken(&written);
    if let Some(resolved) = resolved {
        problems.extend(rules::unresolved(&written, resolved));
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let mut document = written.document.clone();
    document.listen.https = document.https();
    shift(&mut document, source.port_offset);
    anchor(&mut document, |path| {
        source.directory_of(written.is_from_command_line(path))
    });
    Ok(document)
}

/// Adds `offset` to every port that this cluster opens; a rule has checked that they stay valid
/// ports.
fn shift(document: &mut Document, offset: u16) {
    let listen = &mut document.listen;
    for port in [
        &mut listen.tcp,
        &mut listen.http,
        &mut listen.websocket,
        &mut listen.sse,
        &mut listen.https,
    ] {
        *port = port.map(|port| port.saturating_add(offset));
    }
    for at in [&mut listen.stats, &mut listen.status, &mut listen.observe] {
        *at = at.map(|at| SocketAddr::new(at.ip(), at.port().saturating_add(offset)));
    }
    let nodes = &mut document.nodes;
    nodes.tcp_port = nodes.tcp_port.map(|port| port.saturating_add(offset));
    nodes.http_port = nodes.http_port.map(|port| port.saturating_add(offset));
    nodes.erlang.distribution_port = nodes.erlang.distribution_port.saturating_add(offset);
}

/// Makes relative paths absolute: `directory` returns for each key the directory of the text that
/// contains it.
fn anchor(document: &mut Document, directory: impl Fn(&str) -> PathBuf) {
    let Document {
        tls,
        access_log,
        binaries,
        nodes,
        ..
    } = document;
    for (key, path) in binaries.paths() {
        if let Some(path) = path.as_mut().filter(|path| !is_bare(path)) {
            *path = join(&directory(key), path);
        }
    }
    if let Some(Tls { certificate, key, .. }) = tls {
        for (name, path) in [("tls.certificate", certificate), ("tls.key", key)] {
            if let Some(path) = path {
                *path = join(&directory(name), path);
            }
        }
    }
    for (key, path) in [
        ("access_log", access_log),
        ("nodes.path", &mut nodes.path),
        ("nodes.config", &mut nodes.config),
        ("nodes.environment_file", &mut nodes.environment_file),
        ("nodes.directory", &mut nodes.directory),
    ] {
        if let Some(path) = path {
            *path = join(&directory(key), path);
        }
    }
    if let Some(program) = nodes.command.as_mut().and_then(|words| words.first_mut()) {
        let path = Path::new(program.as_str());
        if !is_bare(path) && !path.starts_with("{") {
            // In its own directory, a program is looked for as its arguments are.
            let base = nodes
                .directory
                .clone()
                .unwrap_or_else(|| directory("nodes.command"));
            *program = join(&base, path).display().to_string();
        }
    }
}

/// Whether it is only a program's name, which has to be searched for.
fn is_bare(path: &Path) -> bool {
    path.components().count() == 1 && matches!(path.components().next(), Some(Component::Normal(_)))
}

/// `directory` and `path`, without a `.` in between.
fn join(directory: &Path, path: &Path) -> PathBuf {
    directory.join(path).components().collect()
}

fn cluster(document: Document) -> Cluster {
    let members = members(&document);
    let is_command = document.nodes.runtime == Runtime::Command;
    let (tcp, http) = (document.has_tcp(), document.has_http());
    let Document {
        cluster: name,
        balancer,
        nodes,
        listen,
        routing,
        mut limits,
        health,
        timeouts,
        rollout,
        tls,
        access_log,
        targets,
        binaries,
    } = document;
    let paths = &routing.paths;
    // A proxy connects for many clients.
    limits.per_ip.exempt.extend(&listen.trusted);
    Cluster {
        name,
        balancer,
        runtime: nodes.runtime,
        command: nodes.command.unwrap_or_default(),
        environment: if is_command {
            nodes.environment
        } else {
            BTreeMap::new()
        },
        environment_file: nodes.environment_file.filter(|_| is_command),
        directory: nodes
            .directory
            .filter(|_| is_command && nodes.path.is_none())
            .map(|directory| directory.display().to_string()),
        erlang: nodes.erlang,
        erlmcp: nodes.path.filter(|_| is_command).map(|path| Erlmcp {
            path,
            eval: nodes.eval,
            config: nodes.config,
        }),
        nodes: members,
        restart: nodes.restart,
        listen: Listeners {
            addresses: listen.address,
            tcp: listen.tcp.filter(|_| tcp),
            http: listen.http.filter(|_| http),
            websocket: listen.websocket.filter(|_| http && !paths.websocket.is_empty()),
            sse: listen.sse.filter(|_| http && !paths.sse.is_empty()),
            https: listen.https.filter(|_| http),
            trusted: listen.trusted,
            unserved: Vec::new(),
            stats: listen.stats,
            status: listen.status,
            observe: listen.observe,
        },
        routing,
        limits,
        http_check: http_check(nodes.runtime, &health),
        health,
        timeouts,
        rollout,
        tls: tls.and_then(|tls| {
            if tls.self_signed {
                return Some(Certificate::SelfSigned);
            }
            Some(Certificate::Files {
                certificate: tls.certificate?,
                key: tls.key?,
            })
        }),
        access_log,
        targets,
        binaries,
    }
}

/// What checks over HTTP send. Our own nodes serve `/health`; what others serve is found out when
/// they run.
fn http_check(runtime: Runtime, health: &HealthCheck) -> HttpCheck {
    let own = matches!(runtime, Runtime::Embedded | Runtime::Erlang);
    match health.kind {
        HealthKind::Http | HealthKind::Tcp => HttpCheck::Get,
        HealthKind::Mcp => HttpCheck::Mcp,
        HealthKind::Auto if own && health.path == OWN_HEALTH_PATH => HttpCheck::Get,
        HealthKind::Auto => HttpCheck::Either,
    }
}

fn members(document: &Document) -> Vec<Node> {
    let nodes = &document.nodes;
    let node = |number: u16, name: String, address: IpAddr, tcp: Option<u16>, http: Option<u16>| Node {
        id: NodeId(number.into()),
        name,
        number,
        address,
        tcp: tcp.map(|port| SocketAddr::new(address, port)),
        http: http.map(|port| SocketAddr::new(address, port)),
        distribution: nodes.are_beam().then(|| {
            let port = nodes.erlang.distribution_port.saturating_add(number - 1);
            SocketAddr::from((Ipv4Addr::LOCALHOST, port))
        }),
        weight: nodes.weight,
        target: nodes.target,
        maxconn: nodes.maxconn,
    };
    if nodes.runtime == Runtime::External {
        let listed = nodes.members.iter().flat_map(|member| {
            let ports = (member.tcp_port, member.http_port);
            member.nodes().into_iter().map(move |node| (node, ports))
        });
        return (1..)
            .zip(listed)
            .map(|(number, ((name, address), (tcp, http)))| node(number, name, address, tcp, http))
            .collect();
    }
    nodes
        .numbered()
        .into_iter()
        .map(|(number, name)| {
            let port = |first: u16| first.saturating_add(number - 1);
            node(
                number,
                name,
                nodes.address,
                nodes.tcp_port.map(port),
                nodes.http_port.map(port),
            )
        })
        .collect()
}
