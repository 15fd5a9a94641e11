//! The page with the statistics of several balancer instances together, which no single instance
//! can serve. It is available while the supervisor runs.

use std::net::TcpListener;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use hyper::StatusCode;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::totals::read_totals;
use crate::haproxy_api::server::{Totals, pages};
use crate::supervisor::http::metrics_listener;
use crate::supervisor::spec::Spec;

/// The statistics page; it is served until this value is dropped.
#[derive(Debug)]
pub(in crate::supervisor) struct StatsPage {
    serving: JoinHandle<()>,
}

impl StatsPage {
    /// Serves the page on `listener`.
    pub(in crate::supervisor) fn serve(listener: TcpListener, spec: Arc<ArcSwap<Spec>>) -> StatsPage {
        let pages = Router::new().fallback(page).with_state(spec);
        let serving = tokio::spawn(async move {
            // The connections end with this task.
            let end = CancellationToken::new();
            if let Err(error) = metrics_listener::serve_on(listener, pages, end).await {
                tracing::warn!("cannot serve the statistics page: {error}");
            }
        });
        StatsPage { serving }
    }
}

impl Drop for StatsPage {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

// Private

async fn page(State(spec): State<Arc<ArcSwap<Spec>>>, request: Request) -> Response {
    let spec = spec.load_full();
    match read_totals(&spec).await {
        Ok(read_totals) => {
            let totals = Totals::new(&spec.cluster.name, &read_totals.infos, &read_totals.rows);
            let shown = pages::shown(pages::Site::Stats, request.method(), request.uri(), &totals);
            shown.map(Body::new)
        }
        Err(error) => {
            let mut refusal = Response::new(Body::from(format!("{error}\n")));
            *refusal.status_mut() = StatusCode::BAD_GATEWAY;
            refusal
        }
    }
}
