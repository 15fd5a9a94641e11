//! Runs a supervisor, from its lock to the removal of its files.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::balancer_link::config_files::{on_disk, write_files};
use super::beam_stats::BeamStats;
use super::core::{Core, Ending};
use super::event::{self, CoreEvent, EventSender, Request};
use super::http::control_api::{self, ApiState};
use super::http::control_socket::ControlSocket;
use super::http::metrics_listener;
use super::listeners::Listeners;
use super::nginx::access_log::AccessLog;
use super::prepare::Prepared;
use super::process::processes::HostProcesses;
use super::state_file::Record;
use super::stop_signals::StopSignals;
use crate::api::StopOrder;
use crate::balancer::Away;
use crate::base::units::Period;
use crate::platform::service_manager::ServiceManager;

/// Time until another address for observers is noticed.
const OBSERVE_INTERVAL: std::time::Duration = std::time::Duration::from_millis(500);
/// The time that connections get when a signal stops the supervisor.
pub const SIGNAL_GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs the cluster until it is stopped by an order or a signal, could not be started, or is to be
/// supervised by another program. Living children in `record` are adopted. `manager` is kept
/// informed.
///
/// # Errors
/// When the supervisor's own socket or files fail. Nothing was started then.
pub(super) async fn run(
    prepared: Prepared,
    record: Option<Record>,
    manager: Option<ServiceManager>,
    signals: StopSignals,
) -> io::Result<Ending> {
    let Prepared { spec, files, .. } = prepared;
    let run_dir = spec.run_dir.clone();
    let is_adopted = record
        .as_ref()
        .is_some_and(|record| !record.balancers().is_empty());
    let on_disk = is_adopted.then(|| on_disk(&spec, &files));
    write_files(
        &spec,
        &files,
        &record.as_ref().map_or_else(Away::default, Record::away),
    )?;
    let listeners = match &record {
        Some(record) => Listeners::regain(&spec, record).await?,
        None => Listeners::default(),
    };
    let control_socket = ControlSocket::open(&run_dir)?;
    let spec = Arc::new(ArcSwap::from_pointee(spec));
    let (events, receiver) = event::channel();
    let access_log = AccessLog::of(&spec, record.as_ref());
    let end = CancellationToken::new();
    let state = ApiState {
        spec: spec.clone(),
        events: events.clone(),
        access_log: access_log.clone(),
        beam_stats: BeamStats::watched(&spec, &end),
    };
    tokio::spawn(access_log.clone().follow(end.clone()));
    let control = tokio::spawn(
        axum::serve(control_socket, control_api::control(state.clone()))
            .with_graceful_shutdown(end.clone().cancelled_owned())
            .into_future(),
    );
    tokio::spawn(serve_observers(state, end.clone()));
    let launch = &spec.load().launch;
    let order = StopOrder {
        grace: Period::from(SIGNAL_GRACE),
        announce: launch.announce,
        over: launch.over,
    };
    tokio::spawn(stop_on_signal(signals, order, events.clone()));

    tracing::info!(
        cluster = spec.load().cluster.name,
        pid = std::process::id(),
        "supervisor runs"
    );
    let processes = Box::new(HostProcesses);
    let now = Instant::now();
    let mut core = Core::new(spec, files, record.as_ref(), listeners, processes, events, now);
    if let Some(on_disk) = on_disk {
        core.renew_balancer(on_disk);
    }
    // Boxed because it is large.
    let ending = Box::pin(core.reading(access_log).notifying(manager).run(receiver)).await;
    tracing::info!("supervisor ends");

    end.cancel();
    let _answered_or_not = tokio::time::timeout(std::time::Duration::from_secs(2), control).await;
    if matches!(ending, Ending::Stopped) {
        run_dir.clean()?;
    }
    Ok(ending)
}

// Private

/// Serves the page for observers at the address that the configuration in force names.
async fn serve_observers(state: ApiState, end: CancellationToken) {
    let address = || state.spec.load().cluster.listen.observe;
    while !end.is_cancelled() {
        let now = address();
        let until = end.child_token();
        let served = async {
            let Some(at) = now else { return };
            let pages = control_api::public(state.clone());
            if let Err(error) = metrics_listener::serve(at, pages, until.clone()).await {
                tracing::error!("metrics are not served on {at}: {error}");
            }
        };
        let changed = async {
            while address() == now && !end.is_cancelled() {
                tokio::time::sleep(OBSERVE_INTERVAL).await;
            }
            until.cancel();
        };
        tokio::join!(served, changed);
    }
}

/// The signals stop the cluster as `order` says, and the second one at once.
async fn stop_on_signal(mut signals: StopSignals, mut order: StopOrder, events: EventSender) {
    loop {
        signals.next().await;
        let (reply, _answer) = oneshot::channel();
        if !events.send(CoreEvent::Request(Request::Stop(order, reply))).await {
            return;
        }
        order.announce = Period::default();
    }
}
