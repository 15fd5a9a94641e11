//! The end of a node, in steps.
//!
//! ```text
//!  Serving ── signal ──▶ Announced ── `announce` ──▶ Closing ── `over`, then `GRACE` ──▶ ended
//!                            └──── another signal ──────┴────────── at once ──────────────▶
//! ```
//!
//! While the end is announced, `/ready` answers 503 and connections are still accepted. Then no more
//! are, and each connection closes when its turn has come, so that the clients do not all connect
//! elsewhere at the same moment.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::slots::Slots;
use crate::base::shutdown::Shutdown;

/// The end of a node.
#[derive(Debug)]
pub(super) struct Ending {
    shutdown: Shutdown,
    announce: Duration,
    over: Duration,
    is_announced: AtomicBool,
    /// Cancelled when no connection is accepted any more.
    closing: CancellationToken,
    /// How many connections there were then.
    connections: AtomicU32,
    /// How many of them have asked for their turn.
    turns: AtomicU32,
}

impl Ending {
    /// An end that `shutdown` begins. It is announced for `announce`, and connections close over
    /// `over`.
    pub(super) fn new(shutdown: Shutdown, announce: Duration, over: Duration) -> Ending {
        Ending {
            shutdown,
            announce,
            over,
            is_announced: AtomicBool::new(false),
            closing: CancellationToken::new(),
            connections: AtomicU32::new(0),
            turns: AtomicU32::new(0),
        }
    }

    /// Takes the steps, after the first signal.
    pub(super) async fn run(&self, slots: &Slots) {
        self.shutdown.begun.cancelled().await;
        self.is_announced.store(true, Relaxed);
        if !self.announce.is_zero() {
            tracing::info!(
                seconds = self.announce.as_secs_f64(),
                "the end is announced: /ready answers 503"
            );
        }
        self.shutdown.wait(self.announce).await;
        let connections = u32::try_from(slots.taken()).unwrap_or(u32::MAX);
        self.connections.store(connections, Relaxed);
        self.closing.cancel();
    }

    /// Whether the end is announced.
    pub(super) fn is_announced(&self) -> bool {
        self.is_announced.load(Relaxed)
    }

    /// Waits until no connection is accepted any more.
    pub(super) async fn accepting_ends(&self) {
        self.closing.cancelled().await;
    }

    /// Waits until the calling connection has to close.
    pub(super) async fn turn(&self) {
        self.closing.cancelled().await;
        // Boxed, so that an open connection does not hold the memory of its end.
        Box::pin(self.shutdown.wait(self.next_turn())).await;
    }

    /// The time that connections get until the last one is ended, with `grace` for requests in
    /// flight; it ends early when another signal asks for it.
    pub(super) async fn last(&self, grace: Duration) {
        self.shutdown.wait(self.over + grace).await;
    }

    // Private

    /// How long the next connection stays: the turns are spread evenly.
    fn next_turn(&self) -> Duration {
        let turn = self.turns.fetch_add(1, Relaxed);
        let connections = self.connections.load(Relaxed).max(1);
        self.over
            .mul_f64((f64::from(turn) / f64::from(connections)).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_spread_evenly_and_skipped_by_another_signal() {
        let shutdown = Shutdown::default();
        let over = Duration::from_secs(8);
        let ending = Ending::new(shutdown.clone(), Duration::from_secs(3), over);
        let slots = Slots::new("erlmcp1", 4);
        let _held: Vec<_> = std::iter::from_fn(|| slots.take()).collect();
        shutdown.begun.cancel();
        let began = tokio::time::Instant::now();
        ending.run(&slots).await;
        assert!(ending.is_announced());
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        let turns: Vec<u64> = (0..5).map(|_| ending.next_turn().as_secs()).collect();
        assert_eq!(turns, [0, 2, 4, 6, 8]);
        shutdown.at_once.cancel();
        let began = tokio::time::Instant::now();
        ending.turn().await;
        ending.last(Duration::from_secs(1)).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
