//! The control API: forwards requests to the core, and returns its answers.

use std::sync::Arc;

use arc_swap::ArcSwap;

use axum::extract::{self, FromRequest, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::IntoDeserializer;
use serde::de::value::UnitDeserializer;
use tokio::sync::oneshot;

use crate::api::{
    Call, ConnectionsBy, DrainOrder, GetFailovers, GetHealth, GetProgress, GetStats, GetStatus, Health,
    Readied, ReadyOrder, Refusal, ReloadOrder, Reloaded, RestartOrder, StartOrder, Stats, Status, StopOrder,
};
use crate::haproxy_api::StatusPage;
use crate::observe::access_log::Tally;
use crate::observe::{self, METRICS_CONTENT_TYPE, metrics};
use crate::supervisor::beam_stats::BeamStats;
use crate::supervisor::connection_count::count_connections;
use crate::supervisor::event::{CoreEvent, EventSender, Request};
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

type Answer<C> = Result<<C as Call>::Answer, Refused>;

/// The control API, for the UNIX socket.
pub(in crate::supervisor) fn control(state: ApiState) -> Router {
    Router::new()
        .merge(route(status))
        .merge(route(health))
        .merge(route(progress))
        .merge(route(stats))
        .merge(route(failovers))
        .merge(route(start))
        .merge(route(stop))
        .merge(route(restart))
        .merge(route(reload))
        .merge(route(drain))
        .merge(route(ready))
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

/// The route of the call `C`, which `answer` answers.
fn route<C, F>(answer: impl Fn(ApiState, C) -> F + Clone + Send + Sync + 'static) -> Router<ApiState>
where
    C: Call,
    F: Future<Output = Answer<C>> + Send + 'static,
{
    let handler = async move |State(state): State<ApiState>, Order(order): Order<C>| {
        answer(state, order).await.map(Json)
    };
    let handler = if C::METHOD == Method::GET {
        get(handler)
    } else {
        post(handler)
    };
    Router::new().route(C::PATH, handler)
}

async fn status(state: ApiState, _: GetStatus) -> Answer<GetStatus> {
    state.status().await
}

async fn health(state: ApiState, _: GetHealth) -> Answer<GetHealth> {
    state.health().await
}

async fn metrics_page(State(state): State<ApiState>) -> Result<Response, Refused> {
    let text = metrics(&state.health().await?);
    Ok(([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text).into_response())
}

async fn progress(state: ApiState, _: GetProgress) -> Answer<GetProgress> {
    state.ask(Request::Progress).await
}

async fn stats(state: ApiState, _: GetStats) -> Answer<GetStats> {
    let spec = state.spec.load_full();
    if let Some(page) = spec.balancer.status_socket(&spec.run_dir) {
        let tally = match &state.access_log {
            Some(log) => log.tally().await,
            None => Tally::default(),
        };
        let (snapshot, connections, spec) = state.counted().await?;
        let (status, out_of) = (snapshot.status(&spec, &connections), snapshot.out_of());
        let seen = stats::stats(&spec, StatusPage::new(page), &tally, &status, &out_of).await;
        return seen.map_err(|error| unavailable(&spec, &error));
    }
    let read_totals = read_totals(&spec)
        .await
        .map_err(|error| unavailable(&spec, &error))?;
    Ok(Stats {
        silent: read_totals.silent,
        ..observe::stats(&read_totals.rows)
    })
}

/// The answer when the balancer does not report its statistics.
fn unavailable(spec: &Spec, error: &dyn std::error::Error) -> Refused {
    let error = format!("no statistics from {}: {error}", spec.balancer.kind());
    Refused(StatusCode::BAD_GATEWAY, Refusal { error, hint: None })
}

async fn failovers(state: ApiState, _: GetFailovers) -> Answer<GetFailovers> {
    state.ask(Request::Failovers).await
}

async fn start(state: ApiState, order: StartOrder) -> Answer<StartOrder> {
    state.order(|reply| Request::Start(order, reply)).await
}

async fn stop(state: ApiState, order: StopOrder) -> Answer<StopOrder> {
    state.order(|reply| Request::Stop(order, reply)).await
}

async fn restart(state: ApiState, order: RestartOrder) -> Answer<RestartOrder> {
    state.order(|reply| Request::Restart(order, reply)).await
}

async fn reload(state: ApiState, order: ReloadOrder) -> Answer<ReloadOrder> {
    let snapshot = state.snapshot().await?;
    let now = state.spec.load_full();
    let prepared = reloaded(&now, order, &snapshot.pids()).await.map_err(conflict)?;
    let variables = prepared.changed_variables(&now);
    let reloaded = state
        .order(|reply| Request::Reload(Box::new(prepared), reply))
        .await?;
    Ok(Reloaded {
        variables,
        ..reloaded
    })
}

async fn drain(state: ApiState, order: DrainOrder) -> Answer<DrainOrder> {
    let _took_back = state.order(|reply| Request::Drain(order, reply)).await?;
    Ok(())
}

async fn ready(state: ApiState, order: ReadyOrder) -> Answer<ReadyOrder> {
    let took_back = state.order(|reply| Request::Ready(order, reply)).await?;
    Ok(Readied { took_back })
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

    /// The core's answer to an order.
    async fn order<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Request,
    ) -> Result<T, Refused> {
        self.ask(request).await?.map_err(conflict)
    }

    /// The core's answer to a query.
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

/// The order of a call; the error for a malformed body is this API's own.
struct Order<C>(C);

impl<C: Call, S: Send + Sync> FromRequest<S> for Order<C> {
    type Rejection = Refused;

    async fn from_request(request: extract::Request, state: &S) -> Result<Order<C>, Refused> {
        let malformed = |error| Refused(StatusCode::BAD_REQUEST, Refusal { error, hint: None });
        let order = if C::METHOD == Method::GET {
            let unit: UnitDeserializer<serde::de::value::Error> = ().into_deserializer();
            C::deserialize(unit).map_err(|error| malformed(error.to_string()))
        } else {
            let body = Json::from_request(request, state).await;
            body.map(|Json(order)| order)
                .map_err(|error| malformed(error.body_text()))
        };
        order.map(Order)
    }
}

struct Refused(StatusCode, Refusal);

/// The refusal of an order that cannot be carried out now.
fn conflict(refusal: Refusal) -> Refused {
    Refused(StatusCode::CONFLICT, refusal)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}
