//! The control API: forwards requests to the core, and returns its answers.

use std::sync::Arc;

use arc_swap::ArcSwap;

use axum::extract::{FromRequest, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::api::{
    ConnectionsBy, DrainOrder, Failovers, Health, Progress, Readied, ReadyOrder, Refusal, ReloadOrder,
    Reloaded, RestartOrder, StartOrder, Stats, Status, StopOrder,
};
use crate::haproxy_api::StatusPage;
use crate::observe::access_log::Tally;
use crate::observe::{self, METRICS_CONTENT_TYPE, metrics};
use crate::supervisor::beam_stats::BeamStats;
use crate::supervisor::connection_count::count_connections;
use crate::supervisor::event::{CoreEvent, EventSender, Reply, Request};
use crate::supervisor::nginx::access_log::AccessLog;
use crate::supervisor::nginx::stats;
use crate::supervisor::prepare::reloaded;
use crate::supervisor::shards::totals::read_totals;
use crate::supervisor::snapshot::Snapshot;
use crate::supervisor::spec::Spec;

/// The state that handlers need.
#[derive(Clone)]
pub(in crate::supervisor) struct ApiState {
    pub(in crate::supervisor) spec: Arc<ArcSwap<Spec>>,
    pub(in crate::supervisor) events: EventSender,
    /// nginx's access log, when nginx is the balancer.
    pub(in crate::supervisor) access_log: Option<Arc<AccessLog>>,
    /// The statistics of BEAM nodes.
    pub(in crate::supervisor) beam_stats: Arc<BeamStats>,
}

type Answer<T> = Result<Json<T>, Refused>;

/// The control API, for the UNIX socket.
pub(in crate::supervisor) fn control(state: ApiState) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/health", get(health))
        .route("/v1/progress", get(progress))
        .route("/v1/stats", get(stats))
        .route("/v1/failovers", get(failovers))
        .route("/v1/start", post(start))
        .route("/v1/stop", post(stop))
        .route("/v1/restart", post(restart))
        .route("/v1/reload", post(reload))
        .route("/v1/drain", post(drain))
        .route("/v1/ready", post(ready))
        .fallback(unknown)
        .with_state(state)
}

/// The routes that need no permission, for the `observe` listener.
pub(in crate::supervisor) fn public(state: ApiState) -> Router {
    Router::new()
        .route("/metrics", get(metrics_page))
        .with_state(state)
}

// Private

async fn status(State(state): State<ApiState>) -> Answer<Status> {
    state.status().await.map(Json)
}

async fn health(State(state): State<ApiState>) -> Answer<Health> {
    state.health().await.map(Json)
}

async fn metrics_page(State(state): State<ApiState>) -> Result<Response, Refused> {
    let text = metrics(&state.health().await?);
    Ok(([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response())
}

async fn progress(State(state): State<ApiState>) -> Answer<Progress> {
    state.ask(Request::Progress).await.map(Json)
}

async fn stats(State(state): State<ApiState>) -> Answer<Stats> {
    let spec = state.spec.load_full();
    if let Some(page) = spec.balancer.status_socket(&spec.run_dir) {
        let tally = match &state.access_log {
            Some(log) => log.tally().await,
            None => Tally::default(),
        };
        let (snapshot, connections, spec) = state.counted().await?;
        let (status, out_of) = (snapshot.status(&spec, &connections), snapshot.out_of());
        let read = stats::stats(&spec, StatusPage::new(page), &tally, &status, &out_of).await;
        return read.map(Json).map_err(|error| unavailable(&spec, &error));
    }
    let read_totals = read_totals(&spec)
        .await
        .map_err(|error| unavailable(&spec, &error))?;
    Ok(Json(Stats {
        silent: read_totals.silent,
        ..observe::stats(&read_totals.rows)
    }))
}

/// The answer when the balancer does not report its statistics.
fn unavailable(spec: &Spec, error: &dyn std::error::Error) -> Refused {
    let error = format!("no statistics from {}: {error}", spec.balancer.kind());
    Refused(StatusCode::BAD_GATEWAY, Refusal { error, hint: None })
}

async fn failovers(State(state): State<ApiState>) -> Answer<Failovers> {
    state.ask(Request::Failovers).await.map(Json)
}

async fn start(State(state): State<ApiState>, Order(order): Order<StartOrder>) -> Answer<()> {
    state.order(|reply| Request::Start(order, reply)).await
}

async fn stop(State(state): State<ApiState>, Order(order): Order<StopOrder>) -> Answer<()> {
    state.order(|reply| Request::Stop(order, reply)).await
}

async fn restart(State(state): State<ApiState>, Order(order): Order<RestartOrder>) -> Answer<()> {
    state.order(|reply| Request::Restart(order, reply)).await
}

async fn reload(State(state): State<ApiState>, Order(order): Order<ReloadOrder>) -> Answer<Reloaded> {
    let refused = |refusal| Refused(StatusCode::CONFLICT, refusal);
    let snapshot = state.snapshot().await?;
    let prepared = reloaded(&state.spec.load_full(), order, &snapshot.pids())
        .await
        .map_err(refused)?;
    state
        .ask(|reply| Request::Reload(Box::new(prepared), reply))
        .await?
        .map(Json)
        .map_err(refused)
}

async fn drain(State(state): State<ApiState>, Order(order): Order<DrainOrder>) -> Answer<()> {
    let refused = |refusal| Refused(StatusCode::CONFLICT, refusal);
    let drained = state.ask(|reply| Request::Drain(order, reply)).await?;
    drained.map(|_undone| Json(())).map_err(refused)
}

async fn ready(State(state): State<ApiState>, Order(order): Order<ReadyOrder>) -> Answer<Readied> {
    let refused = |refusal| Refused(StatusCode::CONFLICT, refusal);
    let ready = state.ask(|reply| Request::Ready(order, reply)).await?;
    ready
        .map(|undone| Json(Readied { took_back: undone }))
        .map_err(refused)
}

async fn unknown() -> Refused {
    let error = "this supervisor does not know this request".to_owned();
    let hint = Some("the supervisor may be of an older or newer version than this command".to_owned());
    Refused(StatusCode::NOT_FOUND, Refusal { error, hint })
}

impl ApiState {
    async fn snapshot(&self) -> Result<Snapshot, Refused> {
        self.ask(Request::Snapshot).await
    }

    async fn status(&self) -> Result<Status, Refused> {
        let (snapshot, connections, spec) = self.counted().await?;
        let mut status = snapshot.status(&spec, &connections);
        self.beam_stats.add_to(&mut status.nodes);
        Ok(status)
    }

    async fn health(&self) -> Result<Health, Refused> {
        let (snapshot, connections, spec) = self.counted().await?;
        let mut health = snapshot.health(&spec, &connections);
        self.beam_stats.add_to(&mut health.status.nodes);
        Ok(health)
    }

    /// The state of everything, and the connections of each node. Connections are counted first: a
    /// node that loses its connections in between is then shown as away, not as up and empty.
    async fn counted(&self) -> Result<(Snapshot, Vec<ConnectionsBy>, Arc<Spec>), Refused> {
        let (drains, spec) = (self.snapshot().await?.drains(), self.spec.load_full());
        let connections = count_connections(&spec, drains).await;
        Ok((self.snapshot().await?, connections, spec))
    }

    async fn order(&self, request: impl FnOnce(Reply) -> Request) -> Answer<()> {
        match self.ask(request).await? {
            Ok(()) => Ok(Json(())),
            Err(refusal) => Err(Refused(StatusCode::CONFLICT, refusal)),
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Refused> {
        let gone = || {
            let refusal = Refusal {
                error: "the supervisor is shutting down".to_owned(),
                hint: None,
            };
            Refused(StatusCode::SERVICE_UNAVAILABLE, refusal)
        };
        let (reply, answer) = oneshot::channel();
        // Without a core, the reply is dropped.
        self.events.send(CoreEvent::Request(request(reply))).await;
        answer.await.map_err(|_| gone())
    }
}

/// The body of an order; the error for a malformed body is this API's own.
struct Order<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Order<T> {
    type Rejection = Refused;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Order<T>, Refused> {
        match Json::from_request(request, state).await {
            Ok(Json(order)) => Ok(Order(order)),
            Err(error) => {
                let refusal = Refusal {
                    error: error.body_text(),
                    hint: None,
                };
                Err(Refused(StatusCode::BAD_REQUEST, refusal))
            }
        }
    }
}

struct Refused(StatusCode, Refusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}
