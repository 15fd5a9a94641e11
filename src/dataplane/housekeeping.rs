//! Work done once a second: figures of the last second, removal of old clients, and the copy of
//! sticky clients on disk.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use super::backend::Backend;
use super::runtime_api::{LastSecond, sent};
use super::shared::Shared;
use super::sticky_file::{self, Remembered};
use super::topology::Topology;
use crate::platform::usage::usage;

/// Time between two rounds.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// The largest part of the time that saving sticky clients may take.
const MAX_SAVE_SHARE: u32 = 20;

/// Does this work until it is dropped.
pub(super) async fn run(shared: Arc<Shared>, last_second: &LastSecond) {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut bytes, mut used, mut at) = (0, usage(std::process::id()), Instant::now());
    let mut saved = Saved::default();
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(at);
        let (bytes_before, used_before) = (bytes, used);
        bytes = sent(&shared);
        used = usage(std::process::id());
        at = now;
        last_second
            .bytes_rate
            .store(bytes.saturating_sub(bytes_before), Relaxed);
        if let (Some(now), Some(before)) = (used, used_before) {
            let busy = now.cpu_percent_since(before, elapsed);
            last_second
                .idle
                .store(idle(busy, u32::try_from(processors).unwrap_or(1)), Relaxed);
        }
        let topology = shared.topology();
        for frontend in &topology.frontends {
            frontend.client_limits.sweep(now);
        }
        for sticky in topology
            .backends
            .iter()
            .filter_map(|backend| backend.pool().sticky.clone())
        {
            sticky.sweep(now);
        }
        saved.save_if_due(topology).await;
    }
}

/// Loads the file at `path` into the sticky tables.
pub(super) fn restore_sticky(topology: &Topology, path: &Path) {
    let remembered = sticky_file::load(path, SystemTime::now());
    for backend in &topology.backends {
        let pool = backend.pool();
        let Some(sticky) = &pool.sticky else { continue };
        let clients: Vec<(IpAddr, u32, Duration)> = remembered
            .iter()
            .filter(|it| it.backend == backend.name)
            .filter_map(|it| Some((pool.named(&it.server)?.id, &it.clients)))
            .flat_map(|(id, clients)| clients.iter().map(move |(client, left)| (*client, id, *left)))
            .collect();
        if !clients.is_empty() {
            tracing::info!(
                backend = backend.name,
                clients = clients.len(),
                "sticky clients are remembered"
            );
            sticky.import(clients, Instant::now());
        }
    }
}

/// Writes the sticky tables to the configured file, if there is one.
pub(super) fn save(topology: &Topology) {
    let Some(path) = &topology.config.memory else {
        return;
    };
    let now = Instant::now();
    let mut remembered = Vec::new();
    for backend in &topology.backends {
        let pool = backend.pool();
        let Some(sticky) = &pool.sticky else { continue };
        let name = |id| pool.server(id).map(|server| server.name.clone());
        let entries: Vec<(IpAddr, u32, Duration)> = sticky.entries(now);
        remembered.extend(Remembered::of_backend(&backend.name, &entries, name));
    }
    if let Err(error) = sticky_file::save(path, &remembered, SystemTime::now()) {
        tracing::warn!(file = %path.display(), %error, "cannot keep sticky clients for the next start");
    }
}

// Private

/// The state of the file on disk.
#[derive(Debug, Default)]
struct Saved {
    /// The tables' counts of changes when they were saved.
    changes: BTreeMap<String, u64>,
    /// The earliest time of the next save.
    not_before: Option<Instant>,
}

impl Saved {
    async fn save_if_due(&mut self, topology: Arc<Topology>) {
        let began = Instant::now();
        if self.not_before.is_some_and(|at| began < at) {
            return;
        }
        let changes = |backend: &Arc<Backend>| {
            let changed = backend.pool().sticky.as_ref()?.changed();
            Some((backend.name.clone(), changed))
        };
        let changes: BTreeMap<String, u64> = topology.backends.iter().filter_map(changes).collect();
        if changes == self.changes {
            return;
        }
        self.changes = changes;
        // A slow disk must not keep checks and the runtime API waiting.
        if tokio::task::spawn_blocking(move || save(&topology))
            .await
            .is_err()
        {
            tracing::error!("saving sticky clients has panicked");
        }
        let now = Instant::now();
        self.not_before = Some(now + now.saturating_duration_since(began) * MAX_SAVE_SHARE);
    }
}

fn idle(busy_percent: f64, processors: u32) -> u32 {
    let idle = 100.0 - (busy_percent / f64::from(processors)).clamp(0.0, 100.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100"
    )]
    let percent = idle.round() as u32;
    percent
}
