//! `dataplane.yaml` from a cluster and its plan: the frontends and backends of HAProxy's
//! configuration, with the same names.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::units::Period;
use crate::plan::{ChosenBy, Plan};
use crate::platform::RunDir;
use crate::probe::Question;
use crate::profile::{Cluster, Node, Sticky};

use super::haproxy::{HTTP_FRONTEND, SSE_FRONTEND, TCP_FRONTEND, WEBSOCKET_FRONTEND};
use super::pool::{COMPRESSED, Pool, SLOWSTART};
use crate::dataplane_config::{
    Dataplane, DataplaneBackend, DataplaneCheck, DataplaneFrontend, DataplaneHttp, DataplaneHttpBackend,
    DataplaneQuestion, DataplaneRoutes, DataplaneServer, DataplaneTimeouts, PathOnly,
};

/// The built-in balancer's configuration in `run_dir`; `None` when the profile has nothing that it
/// can serve. With `owned` listeners it takes its sockets from the supervisor, else it opens them.
#[must_use]
pub fn dataplane(cluster: &Cluster, plan: &Plan, run_dir: &RunDir, owned: bool) -> Option<Dataplane> {
    let pools = Pool::all(cluster);
    let timeouts = cluster.timeouts;
    let frontends = frontends(cluster, plan, &pools);
    (!frontends.is_empty()).then(|| Dataplane {
        cluster: cluster.name.clone(),
        workers: plan.balancer.threads,
        maxconn: plan.balancer.maxconn,
        socket: run_dir.dataplane_socket(),
        listeners: owned.then(|| run_dir.dataplane_listeners_socket()),
        memory: Some(run_dir.dataplane_memory()),
        drained: Some(run_dir.dataplane_drained()),
        down: Some(run_dir.dataplane_down()),
        stopping: Some(run_dir.dataplane_stopping()),
        stats: cluster.listen.stats,
        status: cluster.listen.status,
        sources: plan.balancer.sources.clone(),
        check_source: plan.balancer.check_source,
        timeouts: DataplaneTimeouts {
            connect: timeouts.connect,
            client: timeouts.client,
            server: timeouts.server,
            queue: timeouts.queue,
            http_request: timeouts.http_request,
            keep_alive: timeouts.keep_alive,
            node_keep_alive: timeouts.node_keep_alive,
            tunnel: timeouts.tunnel,
            max_age: cluster.routing.max_age,
        },
        http: DataplaneHttp {
            head: cluster.limits.head,
            body: cluster.limits.body,
            trusted: cluster.listen.trusted.iter().copied().collect(),
            access_log: cluster.access_log.clone(),
        },
        frontends,
        backends: pools.iter().map(|pool| backend(*pool, cluster, plan)).collect(),
    })
}

/// What decides which node a new client of a listener gets from the built-in balancer; `None` where
/// it distributes clients one by one.
#[must_use]
pub fn chosen_by_builtin(cluster: &Cluster, listener: &str) -> Option<ChosenBy> {
    let route = Pool::behind(listener).route(cluster);
    route.algorithm.facts().hashes.map(ChosenBy::from)
}

// Private

/// The frontends of the listeners whose backend is one of `pools`.
fn frontends(cluster: &Cluster, plan: &Plan, pools: &[Pool]) -> Vec<DataplaneFrontend> {
    let listen = &cluster.listen;
    let all = [
        (listen.tcp, TCP_FRONTEND, None, Pool::Tcp),
        (listen.http, HTTP_FRONTEND, None, Pool::Http),
        (
            listen.websocket,
            WEBSOCKET_FRONTEND,
            Some(PathOnly::WebSocket),
            Pool::WebSocket,
        ),
        (listen.sse, SSE_FRONTEND, Some(PathOnly::Sse), Pool::Sse),
    ];
    let frontend = |(port, name, only, pool): (Option<u16>, &str, Option<PathOnly>, Pool)| {
        let at = |port| move |ip: &IpAddr| SocketAddr::new(*ip, port);
        Some(DataplaneFrontend {
            name: name.to_owned(),
            listen: plan.addresses.iter().map(at(port?)).collect(),
            maxconn: 0,
            backend: pool.name().to_owned(),
            http: (pool != Pool::Tcp).then(|| DataplaneRoutes {
                paths: cluster.routing.paths.clone(),
                only,
                websocket: Pool::WebSocket.name().to_owned(),
                sse: Pool::Sse.name().to_owned(),
            }),
            limits: cluster.limits.per_ip.clone(),
        })
    };
    let served = all.into_iter().filter(|(.., pool)| pools.contains(pool));
    served.filter_map(frontend).collect()
}

fn backend(pool: Pool, cluster: &Cluster, plan: &Plan) -> DataplaneBackend {
    let (followed, health) = (pool.followed(cluster), &cluster.health);
    let tracked = pool.tracked();
    DataplaneBackend {
        name: pool.name().to_owned(),
        algorithm: pool.route(cluster).algorithm,
        http: (pool != Pool::Tcp).then(|| DataplaneHttpBackend {
            cookie: followed
                .contains(&Sticky::Cookie)
                .then(|| cluster.routing.cookie.clone()),
            follows_sessions: followed.contains(&Sticky::McpSession),
            names_sessions: pool.names_sessions(cluster),
            compress: compressed(pool),
            stream: matches!(pool, Pool::WebSocket | Pool::Sse),
        }),
        sticky: followed
            .contains(&Sticky::Source)
            .then_some(cluster.routing.table),
        queue: DataplaneBackend::default_queue(),
        slowstart: Period::from(if followed.is_empty() {
            SLOWSTART
        } else {
            Duration::ZERO
        }),
        check: tracked.is_none().then(|| DataplaneCheck {
            interval: health.interval,
            fast_interval: health.fast_interval(),
            timeout: cluster.timeouts.check.min(health.timeout),
            rise: health.rise,
            fall: health.fall,
        }),
        track: tracked.map(|pool| pool.name().to_owned()),
        eject_after: DataplaneBackend::default_ejection(),
        eject_errors: health.eject.filter(|_| pool != Pool::Tcp),
        servers: cluster
            .nodes
            .iter()
            .filter_map(|node| server(pool, cluster, plan, node))
            .collect(),
    }
}

fn compressed(pool: Pool) -> Vec<String> {
    let types = COMPRESSED.split(' ').filter(|_| pool == Pool::Http);
    types.map(str::to_owned).collect()
}

fn server(pool: Pool, cluster: &Cluster, plan: &Plan, node: &Node) -> Option<DataplaneServer> {
    let address = pool.address(node)?;
    let (asked, question) = pool.asked(cluster, node)?;
    let (question, path) = match question {
        Question::Tcp => (DataplaneQuestion::Tcp, None),
        Question::Mcp => (DataplaneQuestion::Mcp, None),
        Question::Get(path) => (DataplaneQuestion::Http, Some(path)),
        // `Either` is not known yet: every node that answers one of the two passes this check.
        Question::Discover(path) | Question::Either { mcp: path, .. } => {
            (DataplaneQuestion::Discover, Some(path))
        }
    };
    Some(DataplaneServer {
        name: node.name.clone(),
        id: node.id.0,
        address,
        weight: node.weight,
        maxconn: node.maxconn.min(plan.nodes.maxconn),
        question,
        check_address: (asked != address).then_some(asked),
        check_path: path.map_or_else(|| cluster.health.path.clone(), |path| path.to_string()),
        added: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::platform::Host;
    use crate::profile::{BalancerKind, DEFAULT, HealthKind, HttpCheck, Source, load};

    fn cluster() -> Cluster {
        load(&Source::read(DEFAULT).unwrap())
            .unwrap()
            .behind(BalancerKind::Builtin)
    }

    fn rendered(cluster: &Cluster) -> Dataplane {
        let plan = plan(cluster, BalancerKind::Builtin, &Host::read());
        let config = dataplane(cluster, &plan, &RunDir::at("/run/clusterctl/erlmcp"), false).unwrap();
        assert_eq!(Dataplane::parse(&config.to_yaml()), Ok(config.clone()));
        config
    }

    #[test]
    fn tcp_is_one_backend_of_four() {
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
    fn only_owned_listeners_are_taken_from_the_supervisor() {
        let cluster = cluster();
        assert!(!rendered(&cluster).to_yaml().contains("listeners:"));
        let plan = plan(&cluster, BalancerKind::Builtin, &Host::read());
        let run_dir = RunDir::at("/run/clusterctl/erlmcp");
        let config = dataplane(&cluster, &plan, &run_dir, true).unwrap();
        assert_eq!(config.listeners, Some(run_dir.dataplane_listeners_socket()));
        assert_eq!(Dataplane::parse(&config.to_yaml()), Ok(config));
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
    fn http_has_the_frontends_and_backends_of_haproxy() {
        let mut cluster = cluster();
        let config = rendered(&cluster);
        let frontends = config.frontends.iter().map(|frontend| {
            let only = frontend.http.as_ref().map(|http| http.only);
            (
                frontend.name.as_str(),
                frontend.listen[0].port(),
                frontend.backend.as_str(),
                only,
            )
        });
        assert_eq!(
            frontends.collect::<Vec<_>>(),
            [
                ("mcp_frontend_tcp", 8000, "mcp_cluster_tcp", None),
                ("mcp_frontend_http", 8080, "mcp_http_backend", Some(None)),
                (
                    "mcp_frontend_websocket",
                    8001,
                    "mcp_websocket_backend",
                    Some(Some(PathOnly::WebSocket))
                ),
                (
                    "mcp_frontend_sse",
                    8002,
                    "mcp_sse_backend",
                    Some(Some(PathOnly::Sse))
                ),
            ]
        );
        let [tcp, http, websocket, sse] = &config.backends[..] else {
            panic!("{:?}", config.backends);
        };
        assert_eq!(tcp.http, None);
        assert_eq!(http.servers[0].address, cluster.nodes[0].http.unwrap());
        let settings = http.http.as_ref().unwrap();
        assert_eq!(settings.cookie.as_ref(), Some(&cluster.routing.cookie));
        assert!(settings.follows_sessions && settings.names_sessions && !settings.stream);
        assert!(settings.compress.contains(&"application/json".to_owned()));
        assert!(http.sticky.is_none() && http.check.is_some() && http.track.is_none());
        for streams in [websocket, sse] {
            assert_eq!(streams.track.as_ref(), Some(&http.name));
            let settings = streams.http.as_ref().unwrap();
            assert!(streams.check.is_none() && settings.stream && settings.compress.is_empty());
            assert!(streams.sticky.is_some() && settings.follows_sessions);
        }
        assert_eq!(websocket.http.as_ref().unwrap().cookie, None);
        // Nodes by HTTP alone.
        cluster.listen.tcp = None;
        for node in &mut cluster.nodes {
            node.tcp = None;
        }
        let config = rendered(&cluster);
        assert_eq!((config.frontends.len(), config.backends.len()), (3, 3));
    }

    #[test]
    fn http_is_checked_as_behind_haproxy() {
        let mut cluster = cluster();
        for (check, question, path) in [
            (HttpCheck::Get, DataplaneQuestion::Http, "/health"),
            (HttpCheck::Mcp, DataplaneQuestion::Discover, "/mcp"),
            (HttpCheck::Either, DataplaneQuestion::Discover, "/mcp"),
        ] {
            cluster.http_check = check;
            let server = &rendered(&cluster).backends[1].servers[0];
            assert_eq!(
                (server.question, server.check_path.as_str(), server.check_address),
                (question, path, None)
            );
        }
        cluster.health.kind = HealthKind::Tcp;
        let server = &rendered(&cluster).backends[1].servers[0];
        assert_eq!(server.question, DataplaneQuestion::Tcp);
    }

    #[test]
    fn without_a_listener_nothing_is_served() {
        let mut cluster = cluster();
        let listen = &mut cluster.listen;
        (listen.tcp, listen.http, listen.websocket, listen.sse) = (None, None, None, None);
        let plan = plan(&cluster, BalancerKind::Builtin, &Host::read());
        assert_eq!(dataplane(&cluster, &plan, &RunDir::at("/tmp"), true), None);
    }
}
