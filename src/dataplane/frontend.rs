//! A frontend: the addresses for clients, and its limits.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use super::backend::Backend;
use super::client_limits::{ClientLease, ClientLimits, Refused};
use super::clock::Clock;
use super::counters::{Bytes, Gauge, PeakRate, count};
use super::http::Request;
use super::http::rules::{Destination, Forwarding, NodeAddresses, Refusal, Routes};
use super::http_counters::HttpCounters;
use super::server::lock;
use crate::base::telemetry::Throttle;
use crate::haproxy_api::server::{FrontendFigures, FrontendState};
use crate::profile::PerIp;

/// Time between two log lines about refused clients.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// A frontend.
#[derive(Debug)]
pub(crate) struct Frontend {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) client_limits: ClientLimits,
    pub(crate) sessions: Gauge,
    pub(crate) bytes: Bytes,
    pub(crate) http: HttpCounters,
    route: ArcSwap<Route>,
    maxconn: AtomicU32,
    state: AtomicU8,
    accepted: AtomicU64,
    /// `accepted` at the last reset.
    accepted_before: AtomicU64,
    begun: AtomicU64,
    denied_connections: AtomicU64,
    denied_messages: AtomicU64,
    accept_rate: PeakRate,
    begin_rate: PeakRate,
    refusals: Mutex<Throttle>,
    delays: Mutex<Throttle>,
}

/// The configured part of a frontend; replaced as a whole.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) backend: Arc<Backend>,
    /// How requests are routed; `None` where bytes are relayed.
    pub(crate) http: Option<HttpRoute>,
}

/// How the requests of a frontend are routed.
#[derive(Debug)]
pub(crate) struct HttpRoute {
    pub(crate) routes: Routes,
    pub(crate) forwarding: Forwarding,
    pub(crate) websocket: Arc<Backend>,
    pub(crate) sse: Arc<Backend>,
    /// The addresses of nodes, to which no client is redirected.
    pub(crate) nodes: NodeAddresses,
}

impl HttpRoute {
    /// The backend for `request`; `default` where nothing else is configured.
    pub(crate) fn destination<'a>(
        &'a self,
        default: &'a Arc<Backend>,
        request: &Request<'_>,
    ) -> Result<&'a Arc<Backend>, Refusal> {
        Ok(match self.routes.destination(request)? {
            Destination::Default => default,
            Destination::WebSocket => &self.websocket,
            Destination::Sse => &self.sse,
        })
    }
}

impl Frontend {
    pub(crate) fn new(
        name: &str,
        id: u32,
        route: Route,
        maxconn: u32,
        limits: PerIp,
        workers: u16,
    ) -> Frontend {
        Frontend {
            name: name.to_owned(),
            id,
            client_limits: ClientLimits::new(limits),
            sessions: Gauge::default(),
            bytes: Bytes::new(workers),
            http: HttpCounters::new(workers),
            route: ArcSwap::from_pointee(route),
            maxconn: AtomicU32::new(maxconn),
            state: AtomicU8::new(0),
            accepted: AtomicU64::new(0),
            accepted_before: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            denied_connections: AtomicU64::new(0),
            denied_messages: AtomicU64::new(0),
            accept_rate: PeakRate::default(),
            begin_rate: PeakRate::default(),
            refusals: Mutex::new(Throttle::new(LOG_INTERVAL)),
            delays: Mutex::new(Throttle::new(LOG_INTERVAL)),
        }
    }

    /// Applies a new configuration.
    pub(crate) fn reconfigure(&self, route: Route, maxconn: u32, limits: PerIp) {
        self.route.store(Arc::new(route));
        self.set_maxconn(maxconn);
        self.client_limits.set_limits(limits);
    }

    /// The addresses to listen on, and the backend. A guard counts no reference, which all workers would
    /// share.
    pub(crate) fn route(&self) -> Guard<Arc<Route>> {
        self.route.load()
    }

    pub(crate) fn maxconn(&self) -> u32 {
        self.maxconn.load(Relaxed)
    }

    pub(crate) fn set_maxconn(&self, maxconn: u32) {
        self.maxconn.store(maxconn, Relaxed);
    }

    pub(crate) fn state(&self) -> FrontendState {
        match self.state.load(Relaxed) {
            0 => FrontendState::Open,
            1 => FrontendState::Paused,
            _ => FrontendState::Stopped,
        }
    }

    pub(crate) fn set_state(&self, state: FrontendState) {
        let state = match state {
            FrontendState::Open => 0,
            FrontendState::Paused => 1,
            FrontendState::Stopped => 2,
        };
        self.state.store(state, Relaxed);
    }

    /// Takes a slot, if one is free; for [`Admission`](super::admission::Admission), which returns
    /// it.
    pub(super) fn reserve(&self) -> bool {
        self.state() == FrontendState::Open && self.sessions.up_within(self.maxconn.load(Relaxed))
    }

    /// Returns a slot.
    pub(super) fn release(&self) {
        self.sessions.down();
    }

    /// Enters a client for a slot that was reserved. Refusals are counted, and logged at intervals.
    pub(crate) fn enter(&self, client: IpAddr, now: u64, clock: &Clock) -> Result<ClientLease, Refused> {
        count(&self.accepted);
        self.accept_rate.tick(now);
        let client_lease = self.client_limits.enter(client, clock.instant(now));
        match &client_lease {
            Ok(_) => {
                count(&self.begun);
                self.begin_rate.tick(now);
                self.sessions.settled();
            }
            Err(refused) => {
                let reason = match refused {
                    Refused::TooMany => "too many connections",
                    Refused::TooFast => "too many new connections in a second",
                };
                count(&self.denied_connections);
                if let Some(times) = lock(&self.refusals).after(Instant::now()) {
                    tracing::warn!(frontend = self.name, %client, times, reason, "connections are refused");
                }
            }
        }
        client_lease
    }

    /// Records that a request of a client is denied: it sends too many.
    pub(crate) fn denied_request(&self, client: IpAddr) {
        if let Some(times) = lock(&self.delays).after(Instant::now()) {
            tracing::warn!(frontend = self.name, %client, times, "requests are denied: too many in a second");
        }
    }

    /// Records that messages of a client have to wait.
    pub(crate) fn held(&self, client: IpAddr) {
        count(&self.denied_messages);
        if let Some(times) = lock(&self.delays).after(Instant::now()) {
            tracing::warn!(frontend = self.name, %client, times, "messages are held back: too many in a second");
        }
    }

    /// All accepted connections so far, also those before the last reset.
    pub(crate) fn all_connections(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Resets the maxima; if `all`, the sums too.
    pub(crate) fn clear(&self, all: bool) {
        self.sessions.forget_max();
        self.accept_rate.forget_max();
        self.begin_rate.forget_max();
        self.http.clear(all);
        if all {
            self.bytes.clear();
            self.accepted_before.store(self.all_connections(), Relaxed);
            for counter in [&self.begun, &self.denied_connections, &self.denied_messages] {
                counter.store(0, Relaxed);
            }
        }
    }

    /// The figures for the runtime API.
    pub(crate) fn figures(&self, now: u64) -> FrontendFigures {
        let route = self.route();
        FrontendFigures {
            name: self.name.clone(),
            id: self.id,
            state: self.state(),
            backend: route.backend.name.clone(),
            listen: route.listen.clone(),
            sessions: self.sessions.get(),
            sessions_max: self.sessions.max(),
            sessions_limit: self.maxconn.load(Relaxed),
            sessions_total: self.begun.load(Relaxed),
            bytes_in: self.bytes.up(),
            bytes_out: self.bytes.down(),
            denied_messages: self.denied_messages.load(Relaxed),
            denied_connections: self.denied_connections.load(Relaxed),
            connections_total: self
                .all_connections()
                .saturating_sub(self.accepted_before.load(Relaxed)),
            connection_rate: self.accept_rate.get(now),
            connection_rate_max: self.accept_rate.max(),
            session_rate: self.begin_rate.get(now),
            session_rate_max: self.begin_rate.max(),
            http: route.http.is_some().then(|| self.http.figures(now)),
        }
    }
}
