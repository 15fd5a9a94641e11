//! A data plane that consists only of figures, and records the orders it gets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clusterctl::haproxy_api::server::{
    AdminState, BackendFigures, CheckFigures, FrontendFigures, FrontendState, Health, HttpFigures, NewServer,
    Order, ProcessFigures, Proxies, Refusal, ServerFigures, ServerRef, SessionFigures, SessionRequests,
    Subject, TableEntry, TableFigures, Traffic,
};
use clusterctl::haproxy_api::{ServerHealth, ServerState};
use clusterctl::profile::Algorithm;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Figures, and the orders received.
pub struct Fake {
    process: ProcessFigures,
    proxies: Mutex<Proxies>,
    tables: Vec<(TableFigures, Vec<TableEntry>)>,
    pub orders: Mutex<Vec<Order>>,
}

impl Fake {
    pub fn new(process: ProcessFigures, proxies: Proxies) -> Fake {
        Fake {
            process,
            proxies: Mutex::new(proxies),
            tables: Vec::new(),
            orders: Mutex::default(),
        }
    }

    pub fn with_table(mut self, name: &str, size: u64, entries: Vec<TableEntry>) -> Fake {
        let name = name.to_owned();
        let used = entries.len() as u64;
        self.tables.push((TableFigures { name, size, used }, entries));
        self
    }

    /// The state of HAProxy when `tests/golden` was captured.
    pub fn golden() -> Fake {
        let process = ProcessFigures {
            node: "testnode".to_owned(),
            pid: 1836,
            uptime: Duration::from_secs(2),
            start_time: 1_795_447_789,
            threads: 2,
            nofile: 4033,
            maxconn: 100,
            hard_maxconn: 2000,
            connections_total: 107,
            connection_rate: 6,
            session_rate: 6,
            bytes_out: 191_869,
            bytes_out_rate: 192_000,
            listeners: 5,
            jobs: 7,
            idle_percent: 100,
            ..ProcessFigures::default()
        };
        let frontend = FrontendFigures {
            name: "fe".to_owned(),
            id: 3,
            backend: "be".to_owned(),
            sessions_limit: 10,
            connection_rate: 6,
            session_rate: 6,
            http: Some(HttpFigures {
                request_rate: 6,
                ..HttpFigures::default()
            }),
            ..FrontendFigures::default()
        };
        let mut one = checked(server("s1", 1, 28471, 100, 100), "L7OK", 2);
        (one.user_weight, one.weight, one.maxconn, one.times_down) = (50, 50, 50, 1);
        one.traffic.session_rate = 6;
        let mut two = checked(server("s2", 2, 28472, 100, 100), "L4CON", 0);
        (two.health, two.last_change, two.downtime) = (Health::Down, 2, 2);
        let mut three = server("s3", 3, 28473, 1, 0);
        three.admin.maint = true;
        let mut be = backend("be", 4, vec![one, two, three]);
        (be.sessions_limit, be.times_down) = (200, 4);
        be.traffic.session_rate = 6;
        be.traffic.http = Some(HttpFigures::default());
        be.cookie = Some("SERVERID".to_owned());
        for server in &mut be.servers {
            server.traffic.http = Some(HttpFigures::default());
            server.cookie = Some(server.name.clone());
        }
        let mut tcp = backend("tcpb", 5, vec![server("t1", 1, 28471, 1, 0)]);
        (tcp.sessions_limit, tcp.last_change, tcp.servers[0].last_change) = (1, 2, 2);
        Fake::new(
            process,
            Proxies {
                frontends: vec![frontend],
                backends: vec![be, tcp],
            },
        )
    }

    /// Adds a server as the data plane does, without its rules.
    fn add(&self, at: &ServerRef, new: &NewServer) {
        self.on_backend(&at.backend, |backend| {
            let is_free = |id: &u32| !backend.servers.iter().any(|it| it.id == *id);
            let id = new.id.or_else(|| (1..=u32::MAX).find(is_free)).unwrap();
            let mut added = server(&at.server, id, new.address.port(), new.weight, new.maxconn);
            added.admin.maint = !new.ready;
            if new.check.is_some() {
                added = checked(added, "", 0);
                added.check.as_mut().unwrap().enabled = false;
            }
            backend.servers.push(added);
        });
    }

    fn delete(&self, at: &ServerRef) -> Result<(), Refusal> {
        let refused = |why: &str| Err(Refusal(why.to_owned()));
        let name = format!("{}/{}", at.backend, at.server);
        let proxies = self.proxies();
        let mut servers = proxies.backends.iter().flat_map(|it| &it.servers);
        if servers.any(|it| it.tracked.as_ref().is_some_and(|tracked| tracked.name == name)) {
            return refused(
                "This server cannot be removed at runtime due to other configuration elements pointing to it.",
            );
        }
        let mut deleted = false;
        self.on_backend(&at.backend, |backend| {
            let is_deleted = |it: &ServerFigures| it.name == at.server && it.admin.is_maint();
            deleted = backend.servers.iter().any(is_deleted);
            backend.servers.retain(|it| !is_deleted(it));
        });
        if deleted {
            Ok(())
        } else {
            refused("Only servers in maintenance mode can be deleted.")
        }
    }

    fn on_backend(&self, name: &str, change: impl FnOnce(&mut BackendFigures)) {
        let mut proxies = self.proxies.lock().unwrap();
        change(proxies.backends.iter_mut().find(|it| it.name == name).unwrap());
    }

    fn on_server(&self, at: &ServerRef, change: impl FnOnce(&mut ServerFigures)) {
        let mut proxies = self.proxies.lock().unwrap();
        let backend = proxies
            .backends
            .iter_mut()
            .find(|it| it.name == at.backend)
            .unwrap();
        change(
            backend
                .servers
                .iter_mut()
                .find(|it| it.name == at.server)
                .unwrap(),
        );
    }

    fn on_frontend(&self, name: &str, state: FrontendState) {
        let mut proxies = self.proxies.lock().unwrap();
        proxies
            .frontends
            .iter_mut()
            .find(|it| it.name == name)
            .unwrap()
            .state = state;
    }
}

impl Subject for Fake {
    fn process(&self) -> ProcessFigures {
        self.process.clone()
    }

    fn proxies(&self) -> Proxies {
        self.proxies.lock().unwrap().clone()
    }

    fn tables(&self) -> Vec<TableFigures> {
        self.tables.iter().map(|(table, _)| table.clone()).collect()
    }

    fn entries(&self, table: &str) -> Option<Vec<TableEntry>> {
        let found = self.tables.iter().find(|(it, _)| it.name == table);
        found.map(|(_, entries)| entries.clone())
    }

    fn sessions(self: Arc<Self>) -> BoxFuture<'static, Vec<SessionFigures>> {
        let session = SessionFigures {
            id: 0x2a,
            client: "127.0.0.1:40000".parse().unwrap(),
            frontend: "fe".to_owned(),
            backend: Some("be".to_owned()),
            server: Some("s1".to_owned()),
            source: None,
            age: Duration::from_secs(90),
            idle: Duration::ZERO,
            bytes_in: 1,
            bytes_out: 2,
            http: None,
        };
        let over_http = SessionFigures {
            id: 0x2b,
            frontend: "web_fe".to_owned(),
            backend: None,
            server: None,
            http: Some(SessionRequests {
                count: 3,
                status: Some(404),
            }),
            ..session.clone()
        };
        async { vec![session, over_http] }.boxed()
    }

    fn order(self: Arc<Self>, order: Order) -> BoxFuture<'static, Result<(), Refusal>> {
        match &order {
            Order::AddServer(at, new) => self.add(at, new),
            Order::DeleteServer(at) => {
                if let Err(refusal) = self.delete(at) {
                    return async { Err(refusal) }.boxed();
                }
            }
            Order::Checks(at, on) => self.on_server(at, |it| it.check.as_mut().unwrap().enabled = *on),
            Order::State(at, state) => self.on_server(at, |it| {
                it.admin = AdminState {
                    maint: *state == ServerState::Maint,
                    drain: *state == ServerState::Drain,
                    ..AdminState::default()
                };
            }),
            Order::Health(at, health) => self.on_server(at, |it| match health {
                ServerHealth::Up => it.health = Health::Up,
                ServerHealth::Down => it.health = Health::Down,
            }),
            Order::Weight(at, weight) => self.on_server(at, |it| it.user_weight = *weight),
            Order::Address(at, address) => self.on_server(at, |it| it.address = Some(*address)),
            Order::EnableFrontend(name) => self.on_frontend(name, FrontendState::Open),
            Order::DisableFrontend(name) => self.on_frontend(name, FrontendState::Paused),
            Order::ShutdownFrontend(name) => self.on_frontend(name, FrontendState::Stopped),
            _ => {}
        }
        self.orders.lock().unwrap().push(order);
        async { Ok(()) }.boxed()
    }
}

pub fn server(name: &str, id: u32, port: u16, weight: u16, maxconn: u32) -> ServerFigures {
    ServerFigures {
        name: name.to_owned(),
        id,
        address: Some(SocketAddr::from(([127, 0, 0, 1], port))),
        initial_weight: weight,
        user_weight: weight,
        weight,
        maxconn,
        ..ServerFigures::default()
    }
}

/// The server, with a check whose last result is `status`.
pub fn checked(server: ServerFigures, status: &'static str, health: u32) -> ServerFigures {
    let (code, text) = match status {
        "L7OK" => (Some(200), ""),
        "L4CON" => (None, "Connection refused"),
        _ => (None, ""),
    };
    let check = CheckFigures {
        enabled: true,
        status,
        code,
        duration: Some(if code.is_some() { 2 } else { 0 }),
        detail: text.to_owned(),
        health,
        rise: 2,
        fall: 3,
        failed: 0,
    };
    ServerFigures {
        check: Some(check),
        ..server
    }
}

pub fn backend(name: &str, id: u32, servers: Vec<ServerFigures>) -> BackendFigures {
    BackendFigures {
        name: name.to_owned(),
        id,
        algorithm: Algorithm::Roundrobin,
        cookie: None,
        traffic: Traffic::default(),
        sessions_limit: 200,
        last_change: 0,
        downtime: 0,
        times_down: 0,
        servers,
    }
}
