//! `dataplane.yaml` from a cluster and its plan: one frontend and one backend for TCP, with the
//! same names as in HAProxy's configuration.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::units::Period;
use crate::plan::{ChosenBy, Plan};
use crate::platform::RunDir;
use crate::probe::{Question, Service};
use crate::profile::{Cluster, Node, Sticky};

use super::haproxy::TCP_FRONTEND;
use super::pool::{Pool, SLOWSTART};
use crate::dataplane_config::{
    Dataplane, DataplaneBackend, DataplaneCheck, DataplaneFrontend, DataplaneQuestion, DataplaneServer,
    DataplaneTimeouts,
};

/// The built-in balancer's configuration in `run_dir`; `None` when the profile has nothing that it
/// can serve.
#[must_use]
pub fn dataplane(cluster: &Cluster, plan: &Plan, run_dir: &RunDir) -> Option<Dataplane> {
    let port = cluster.listen.tcp?;
    let listen = plan.addresses.iter().map(|ip| SocketAddr::new(*ip, port));
    Some(Dataplane {
        cluster: cluster.name.clone(),
        workers: plan.balancer.threads,
        maxconn: plan.balancer.maxconn,
        socket: run_dir.dataplane_socket(),
        memory: Some(run_dir.dataplane_memory()),
        drained: Some(run_dir.dataplane_drained()),
        down: Some(run_dir.dataplane_down()),
        stats: cluster.listen.stats,
        status: cluster.listen.status,
        sources: plan.balancer.sources.clone(),
        check_source: plan.balancer.check_source,
        timeouts: DataplaneTimeouts {
            connect: cluster.timeouts.connect,
            client: cluster.timeouts.client,
            server: cluster.timeouts.server,
            queue: cluster.timeouts.queue,
        },
        frontends: vec![DataplaneFrontend {
            name: TCP_FRONTEND.to_owned(),
            listen: listen.collect(),
            maxconn: 0,
            backend: Pool::Tcp.name().to_owned(),
            limits: cluster.limits.per_ip.clone(),
        }],
        backends: vec![backend(cluster, plan)],
    })
}

/// What decides which node a new client gets from the built-in balancer; `None` where it
/// distributes clients one by one.
#[must_use]
pub fn chosen_by_builtin(cluster: &Cluster) -> Option<ChosenBy> {
    cluster.routing.tcp.algorithm.facts().hashes.map(ChosenBy::from)
}

// Private

fn backend(cluster: &Cluster, plan: &Plan) -> DataplaneBackend {
    let (route, health) = (cluster.routing.tcp, &cluster.health);
    DataplaneBackend {
        name: Pool::Tcp.name().to_owned(),
        algorithm: route.algorithm,
        sticky: (route.sticky == Sticky::Source).then_some(cluster.routing.table),
        queue: DataplaneBackend::default_queue(),
        slowstart: Period::from(match route.sticky {
            Sticky::None => SLOWSTART,
            _ => Duration::ZERO,
        }),
        check: Some(DataplaneCheck {
            interval: health.interval,
            fast_interval: health.fast_interval(),
            timeout: cluster.timeouts.check.min(health.timeout),
            rise: health.rise,
            fall: health.fall,
        }),
        eject_after: DataplaneBackend::default_ejection(),
        servers: cluster
            .nodes
            .iter()
            .filter_map(|node| server(cluster, plan, node))
            .collect(),
    }
}

fn server(cluster: &Cluster, plan: &Plan, node: &Node) -> Option<DataplaneServer> {
    let address = node.tcp?;
    let (asked, question) = Question::for_node(cluster, Service::Tcp, node)?;
    Some(DataplaneServer {
        name: node.name.clone(),
        id: node.number.into(),
        address,
        weight: node.weight,
        maxconn: node.maxconn.min(plan.nodes.maxconn),
        question: match question {
            Question::Tcp => DataplaneQuestion::Tcp,
            Question::Mcp => DataplaneQuestion::Mcp,
            Question::Get(_) | Question::Discover(_) | Question::Either { .. } => DataplaneQuestion::Http,
        },
        check_address: (asked != address).then_some(asked),
        check_path: cluster.health.path.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::platform::Host;
    use crate::profile::{BalancerKind, DEFAULT, HealthKind, Source, load};

    fn cluster() -> Cluster {
        load(&Source::read(DEFAULT).unwrap())
            .unwrap()
            .behind(BalancerKind::Builtin)
    }

    fn rendered(cluster: &Cluster) -> Dataplane {
        let plan = plan(cluster, BalancerKind::Builtin, &Host::read());
        let config = dataplane(cluster, &plan, &RunDir::at("/run/clusterctl/erlmcp")).unwrap();
        assert_eq!(Dataplane::parse(&config.to_yaml()), Ok(config.clone()));
        config
    }

    #[test]
    fn the_default_cluster_is_one_backend_of_four() {
        let config = rendered(&cluster());
        assert_eq!(config.frontends[0].name, "mcp_frontend_tcp");
        assert_eq!(config.frontends[0].listen[0], "0.0.0.0:8000".parse().unwrap());
        let backend = &config.backends[0];
        assert_eq!(
            (backend.name.as_str(), backend.servers.len()),
            ("mcp_cluster_tcp", 4)
        );
        let server = &backend.servers[3];
        assert_eq!(
            (server.name.as_str(), server.id, server.weight),
            ("erlmcp4", 4, 100)
        );
        assert_eq!(
            (server.question, server.check_address),
            (DataplaneQuestion::Mcp, None)
        );
        assert_eq!(config.check_source, Some(crate::plan::PROBE_SOURCE));
        // A sticky client does not wait for a server whose weight is still increasing.
        assert!(backend.sticky.is_some() && backend.slowstart.is_zero());
    }

    #[test]
    fn settings_of_the_profile_are_kept() {
        let mut cluster = cluster();
        cluster.routing.tcp.sticky = Sticky::None;
        cluster.health.kind = HealthKind::Http;
        cluster.health.interval = "500ms".parse().unwrap();
        let backend = &rendered(&cluster).backends[0];
        assert_eq!(
            (backend.sticky, backend.slowstart),
            (None, "10s".parse().unwrap())
        );
        let server = &backend.servers[0];
        assert_eq!(server.question, DataplaneQuestion::Http);
        assert_eq!(server.check_address, cluster.nodes[0].http);
        assert_eq!(backend.check.unwrap().fast_interval, cluster.health.interval);
    }

    #[test]
    fn without_a_tcp_listener_nothing_is_served() {
        let mut cluster = cluster();
        cluster.listen.tcp = None;
        let plan = plan(&cluster, BalancerKind::Builtin, &Host::read());
        assert_eq!(dataplane(&cluster, &plan, &RunDir::at("/tmp")), None);
    }
}
