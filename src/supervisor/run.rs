//! Runs a supervisor, from its lock to the removal of its files.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::balancer_link::config_files::write_files;
use super::beam_stats::BeamStats;
use super::core::Core;
use super::event::{self, CoreEvent, EventSender, Request};
use super::http::control_api::{self, ApiState};
use super::http::control_socket::ControlSocket;
use super::http::metrics_listener;
use super::nginx::access_log::AccessLog;
use super::prepare::Prepared;
use super::shards::listeners::Listeners;
use super::state_file::Record;
use crate::api::StopOrder;
use crate::balancer::Away;
use crate::base::units::Period;

/// The time that connections get when a signal stops the supervisor.
const SIGNAL_GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs the cluster until it is stopped by an order or a signal, or could not be started. Living
/// children in `record` are adopted.
///
/// # Errors
/// When the supervisor's own socket, files or signals fail. Nothing was started then.
pub(super) async fn run(prepared: Prepared, record: Option<Record>) -> io::Result<()> {
    let Prepared { spec, files, .. } = prepared;
    let run_dir = spec.run_dir.clone();
    write_files(
        &spec,
        &files,
        &record.as_ref().map_or_else(Away::default, Record::away),
    )?;
    let shared_listeners = match &record {
        Some(record) => Listeners::regain(&spec, record).await?,
        None => None,
    };
    let control_socket = ControlSocket::open(&run_dir.control_socket())?;
    let spec = Arc::new(ArcSwap::from_pointee(spec));
    let (events, receiver) = event::channel();
    let access_log = AccessLog::of(&spec.load(), record.as_ref());
    let end = CancellationToken::new();
    let state = ApiState {
        spec: spec.clone(),
        events: events.clone(),
        access_log: access_log.clone(),
        beam_stats: BeamStats::watched(&spec.load(), &end),
    };
    if let Some(log) = access_log {
        tokio::spawn(log.follow(end.clone()));
    }
    let control = tokio::spawn(
        axum::serve(control_socket, control_api::control(state.clone()))
            .with_graceful_shutdown(end.clone().cancelled_owned())
            .into_future(),
    );
    if let Some(address) = spec.load().cluster.listen.observe {
        tokio::spawn(serve_observers(address, state, end.clone()));
    }
    tokio::spawn(stop_on_signal(events.clone())?);

    tracing::info!(
        cluster = spec.load().cluster.name,
        pid = std::process::id(),
        "supervisor runs"
    );
    Core::new(spec, files, record.as_ref(), shared_listeners, events)
        .run(receiver)
        .await;
    tracing::info!("supervisor ends");

    end.cancel();
    let _answered_or_not = tokio::time::timeout(std::time::Duration::from_secs(2), control).await;
    run_dir.clean()
}

// Private

async fn serve_observers(address: std::net::SocketAddr, state: ApiState, end: CancellationToken) {
    if let Err(error) = metrics_listener::serve(address, control_api::public(state), end).await {
        tracing::error!("metrics are not served on {address}: {error}");
    }
}

/// SIGTERM and SIGINT stop the cluster; SIGHUP, which a closing terminal sends, does not.
fn stop_on_signal(events: EventSender) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => continue,
            }
            let (reply, _answer) = oneshot::channel();
            let order = StopOrder {
                grace: Period::from(SIGNAL_GRACE),
            };
            if !events.send(CoreEvent::Request(Request::Stop(order, reply))).await {
                return;
            }
        }
    })
}
