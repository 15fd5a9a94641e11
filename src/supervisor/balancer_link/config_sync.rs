//! Sends the desired state of each node to a balancer without a runtime API: writes its files and
//! starts new workers that read them.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep, sleep_until};

use super::config_files::{is_written, orders, write};
use super::runtime_sync::{DesiredStates, RETRY_INTERVAL, SyncTarget, away};
use super::worker_reload::{is_in_force, reload_workers};
use crate::balancer::Away;
use crate::platform::Identity;
use crate::supervisor::spec::Spec;

/// Least time between two changes: each one leaves workers behind that end with their last
/// connection.
const MIN_RELOAD_INTERVAL: Duration = Duration::from_millis(300);

/// Keeps the `master` process at the desired state of each node. Ends when the sender of desired
/// states is dropped.
pub(in crate::supervisor) async fn sync(master: Identity, signal: Signal, mut target: SyncTarget) {
    let mut accepted = DesiredStates::new();
    // Logged once, not with every attempt.
    let mut failing: Option<String> = None;
    loop {
        let wanted = target.desired.borrow_and_update().clone();
        let announced = *target.announced.borrow_and_update();
        let begun = Instant::now();
        let away = away(&wanted, announced);
        if let Err(why) = put_in_force(master, signal, &target.spec, &away).await {
            if failing.as_ref() != Some(&why) {
                tracing::warn!("the balancer did not get the nodes' states: {why}");
                failing = Some(why);
            }
            sleep(RETRY_INTERVAL).await;
            continue;
        }
        failing = None;
        for (node, state) in wanted {
            target.accepted(&mut accepted, node, state, Vec::new()).await;
        }
        target.announcement_accepted(announced).await;
        if !target.changed().await {
            return;
        }
        sleep_until(begun + MIN_RELOAD_INTERVAL).await;
    }
}

// Private

async fn put_in_force(master: Identity, signal: Signal, spec: &Spec, away: &Away) -> Result<(), String> {
    let files = orders(spec, away).map_err(|error| error.to_string())?;
    if files
        .iter()
        .all(|file| is_written(file) && is_in_force(master, &file.path))
    {
        return Ok(());
    }
    write(&files).map_err(|error| error.to_string())?;
    let log = spec.run_dir.log(spec.balancer.kind().name());
    reload_workers(master, signal, &log).await
}
