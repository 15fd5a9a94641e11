//! Work done once a second: figures of the last second, removal of old clients, the copy of sticky
//! clients on disk, and the return of unused memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::runtime_api::{LastSecond, compressed, sent};
use super::shared::Shared;
use super::sticky_memory::StickyMemory;
use crate::platform::memory;
use crate::platform::usage::usage;

/// Time between two rounds.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// A drop of this many connections since the last return of memory makes another one worth it.
const TRIMMED_CONNECTIONS: u32 = 256;

/// Does this work until it is dropped.
pub(super) async fn run(shared: Arc<Shared>, last_second: &LastSecond, memory: &Arc<StickyMemory>) {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut bytes, mut used, mut at) = (0, usage(std::process::id()), Instant::now());
    let mut compression = (0, 0);
    let mut most = 0;
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
        let compression_before = std::mem::replace(&mut compression, compressed(&shared));
        for (rate, now, before) in [
            (&last_second.compression_in, compression.0, compression_before.0),
            (&last_second.compression_out, compression.1, compression_before.1),
        ] {
            rate.store(now.saturating_sub(before), Relaxed);
        }
        if let (Some(now), Some(before)) = (used, used_before) {
            let busy = now.cpu_percent_since(before, elapsed);
            last_second
                .idle
                .store(idle(busy, u32::try_from(processors).unwrap_or(1)), Relaxed);
        }
        let topology = shared.topology();
        for frontend in &topology.frontends {
            frontend.client_limits.sweep(now);
            frontend.http.settle_rate(shared.clock.now());
        }
        for sticky in topology
            .backends
            .iter()
            .filter_map(|backend| backend.pool().sticky.clone())
        {
            sticky.sweep(now);
        }
        most = trim(most, shared.process.connections.get()).await;
        // A slow disk must not keep checks and the runtime API waiting.
        let memory = Arc::clone(memory);
        if tokio::task::spawn_blocking(move || memory.keep(&topology))
            .await
            .is_err()
        {
            tracing::error!("saving sticky clients has panicked");
        }
    }
}

// Private

/// Returns memory to the system when the `connections` are far fewer than the `most` before; the most
/// since the last return.
async fn trim(most: u32, connections: u32) -> u32 {
    if most < connections.saturating_add(TRIMMED_CONNECTIONS) {
        return most.max(connections);
    }
    if tokio::task::spawn_blocking(memory::trim).await.is_err() {
        tracing::error!("returning memory has panicked");
    }
    connections
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
