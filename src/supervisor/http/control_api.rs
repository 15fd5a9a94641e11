//! The control API: forwards requests to the core, and returns its answers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
    self, Call, ChangeOrder, Changed, DrainOrder, GetFailovers, GetHealth, GetProgress, GetRebalance,
    GetRollout, GetStats, GetStatus, Health, Readied, ReadyOrder, RebalanceOrder, RebalancePlan, Refusal,
    RestartOrder, StartOrder, Stats, Status, StopOrder, SwitchOrder, Switched, Target, UpgradeOrder,
};
use crate::base::units::Period;
use crate::haproxy_api::StatusPage;
use crate::observe::{self, METRICS_CONTENT_TYPE, metrics};
use crate::platform::Program;
use crate::profile::EditError;
use crate::supervisor::beam_stats::BeamStats;
use crate::supervisor::change::{Change, is_outdated};
use crate::supervisor::connection_count::{Connections, count_connections, count_former};
use crate::supervisor::event::{CoreEvent, EventSender, Request};
use crate::supervisor::http::coalesced::Coalesced;
use crate::supervisor::nginx::access_log::AccessLog;
use crate::supervisor::nginx::stats;
use crate::supervisor::prepare::switched;
use crate::supervisor::rebalance::planned;
use crate::supervisor::shards::totals::read_totals;
use crate::supervisor::snapshot::Snapshot;
use crate::supervisor::spec::Spec;
use crate::supervisor::switch::state::Purpose;

/// The state that handlers need.
#[derive(Clone)]
pub(in crate::supervisor) struct ApiState {
    pub(in crate::supervisor) spec: Arc<ArcSwap<Spec>>,
    pub(in crate::supervisor) events: EventSender,
    /// nginx's access log, while nginx is the balancer.
    pub(in crate::supervisor) access_log: Arc<AccessLog>,
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
        .merge(route(change))
        .merge(route(rollouts))
        .merge(route(switch))
        .merge(route(upgrade))
        .merge(route(drain))
        .merge(route(ready))
        .merge(route(rebalance))
        .merge(route(rebalances))
        .fallback(unknown)
        .with_state(state)
}

/// The routes that need no permission, for the `observe` listener.
pub(in crate::supervisor) fn public(state: ApiState) -> Router {
    Router::new()
        .route("/metrics", get(metrics_page))
        .with_state((state, Coalesced::default()))
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

/// The text of the metrics.
type MetricsText = Coalesced<Result<String, Refused>>;

async fn metrics_page(State((state, text)): State<(ApiState, MetricsText)>) -> Result<Response, Refused> {
    let text = text.get(async { state.health().await.map(|health| metrics(&health)) });
    Ok(([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], text.await?).into_response())
}

async fn progress(state: ApiState, _: GetProgress) -> Answer<GetProgress> {
    state.ask(Request::Progress).await
}

async fn stats(state: ApiState, _: GetStats) -> Answer<GetStats> {
    let spec = state.spec.load_full();
    if let Some(page) = spec.balancer.status_socket(spec.deployment()) {
        let tally = state.access_log.tally().await;
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

async fn change(state: ApiState, order: ChangeOrder) -> Answer<ChangeOrder> {
    // A rollout in progress goes on while its undo is prepared.
    const ATTEMPTS: u32 = 10;
    for _ in 1..ATTEMPTS {
        match attempt_change(&state, &order).await {
            Err(Refused(_, refusal)) if is_outdated(&refusal) => {}
            answer => return answer,
        }
    }
    attempt_change(&state, &order).await
}

async fn attempt_change(state: &ApiState, order: &ChangeOrder) -> Answer<ChangeOrder> {
    let snapshot = state.snapshot().await?;
    let gives_way = |rollout: &api::Rollout| rollout.kind.gives_way_to(&order.target);
    if !snapshot.rollout.as_ref().is_some_and(gives_way) {
        snapshot.refuse_while_busy()?;
    }
    let base = snapshot.spec.clone();
    if let Target::Remove(names) = &order.target
        && let Some(EditError { error, hint }) = base.launch.source.unknown_node(names)
    {
        return Err(Refused(api::UNKNOWN_NODE, Refusal { error, hint }));
    }
    let prepared = Change::prepare(base.clone(), order, None, &snapshot).await;
    let change = prepared.map_err(conflict)?;
    let connections = count_connections(&base, false).await;
    let plan = change.plan(&connections).await;
    let rollout = change.has_rollout();
    if order.dry_run {
        return Ok(Changed {
            pid: None,
            plan,
            rollout,
        });
    }
    let reloaded = state
        .order(|reply| Request::Change(Box::new(change), reply))
        .await?;
    Ok(Changed {
        pid: reloaded.pid,
        plan,
        rollout,
    })
}

async fn rollouts(state: ApiState, _: GetRollout) -> Answer<GetRollout> {
    state.ask(Request::Rollouts).await
}

async fn switch(state: ApiState, order: SwitchOrder) -> Answer<SwitchOrder> {
    let snapshot = state.idle().await?;
    let now = state.spec.load_full();
    let prepared = switched(&now, order, &snapshot.pids()).await.map_err(conflict)?;
    let mut plan = prepared.differences(&now);
    plan.extend(snapshot.settings_by_others(&now));
    if order.dry_run {
        return Ok(Switched {
            from: now.balancer.kind(),
            to: order.balancer,
            pids: Vec::new(),
            former: Vec::new(),
            plan,
        });
    }
    let deadline = order.deadline.map(Period::duration);
    let purpose = |reply| Purpose::Order {
        deadline,
        plan,
        reply,
    };
    state
        .order(|reply| Request::Switch(Box::new(prepared), purpose(reply)))
        .await
}

async fn upgrade(state: ApiState, order: UpgradeOrder) -> Answer<UpgradeOrder> {
    check_program(&order.program).await.map_err(conflict)?;
    state.order(|reply| Request::Upgrade(order, reply)).await
}

async fn drain(state: ApiState, order: DrainOrder) -> Answer<DrainOrder> {
    let _took_back = state.order(|reply| Request::Drain(order, reply)).await?;
    Ok(state.snapshot().await?.unsaved)
}

async fn ready(state: ApiState, order: ReadyOrder) -> Answer<ReadyOrder> {
    let took_back = state.order(|reply| Request::Ready(order, reply)).await?;
    let unsaved = state.snapshot().await?.unsaved;
    Ok(Readied { took_back, unsaved })
}

async fn rebalance(state: ApiState, order: RebalanceOrder) -> Answer<RebalanceOrder> {
    let scope = state
        .order(|reply| Request::RebalanceScope(order.streams, reply))
        .await?;
    let (plan, pace) = planned(&scope, &order).await.map_err(conflict)?;
    match pace.filter(|_| !order.dry_run) {
        None => Ok(plan),
        Some(pace) => {
            state
                .order(|reply| Request::Rebalance(order, pace, reply))
                .await?;
            Ok(RebalancePlan { begun: true, ..plan })
        }
    }
}

async fn rebalances(state: ApiState, _: GetRebalance) -> Answer<GetRebalance> {
    state.ask(Request::Rebalances).await
}

/// Whether the program is one that can take over: nothing is given up before that is known.
async fn check_program(program: &Path) -> Result<(), Refusal> {
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
    let refused = |why: String| Refusal {
        error: format!("`{}` cannot take over: {why}", program.display()),
        hint: Some("the supervisor goes on as before".to_owned()),
    };
    if !program.is_absolute() {
        return Err(refused("its path is not absolute".to_owned()));
    }
    let asked = Program::new(program)
        .arg("--version")
        .output(ANSWER_TIMEOUT)
        .await;
    let output = asked.map_err(|error| refused(error.to_string()))?;
    if output.status.success() && output.stdout.starts_with(b"clusterctl ") {
        Ok(())
    } else {
        Err(refused("it is not clusterctl".to_owned()))
    }
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

    /// The state of everything, unless an order in progress excludes another one. Found out before
    /// anything is prepared: a node that is just restarted would look like a stranger at its port.
    async fn idle(&self) -> Result<Snapshot, Refused> {
        let snapshot = self.snapshot().await?;
        snapshot.refuse_while_busy()?;
        Ok(snapshot)
    }

    async fn status(&self) -> Result<Status, Refused> {
        let (snapshot, connections, spec) = self.counted().await?;
        let mut status = snapshot.status(&spec, &connections);
        self.beam_stats.add_to(&mut status.nodes, &spec);
        count_former(&spec, &mut status).await;
        Ok(status)
    }

    async fn health(&self) -> Result<Health, Refused> {
        let (snapshot, connections, spec) = self.counted().await?;
        let mut health = snapshot.health(&spec, &connections);
        self.beam_stats.add_to(&mut health.status.nodes, &spec);
        count_former(&spec, &mut health.status).await;
        Ok(health)
    }

    /// The state of everything, and the connections of each node. Connections are counted first: a
    /// node that loses its connections in between is then shown as away, not as up and empty.
    async fn counted(&self) -> Result<(Snapshot, Connections, Arc<Spec>), Refused> {
        let (drains, spec) = (self.snapshot().await?.drains(), self.spec.load_full());
        let connections = count_connections(&spec, drains).await;
        let snapshot = self.snapshot().await?;
        let spec = snapshot.spec.clone();
        Ok((snapshot, connections, spec))
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

#[derive(Clone, Debug)]
struct Refused(StatusCode, Refusal);

impl Snapshot {
    /// Refuses an order that would meet another one.
    fn refuse_while_busy(&self) -> Result<(), Refused> {
        self.busy.clone().map_or(Ok(()), |busy| Err(conflict(busy)))
    }
}

/// The refusal of an order that cannot be carried out now.
fn conflict(refusal: Refusal) -> Refused {
    Refused(StatusCode::CONFLICT, refusal)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}
