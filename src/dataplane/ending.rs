//! The end of the process by a signal, in steps.
//!
//! ```text
//!  Serving ── signal ──▶ Announced ── `announce` ──▶ Closing ── `over`, then `ANSWER_TIMEOUT` ──▶ ended
//!                            └──── another signal ──────┴────────────── at once ─────────────────▶
//! ```
//!
//! While the end is announced, `/ready` answers 503 and connections are still accepted. Without a time
//! for closing, the process ends without that step.

use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::runtime_api::RuntimeApi;
use super::stopping::Stopping;

/// How long answers in flight may take after the last connection was to end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How the process ends after SIGTERM or SIGINT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The time in which `/ready` answers 503 and connections are still accepted.
    pub announce: Duration,
    /// The time over which the connections that are left are closed evenly. The file `stopping` of the
    /// configuration can set a longer one.
    pub over: Duration,
}

impl Ending {
    /// Announces the end, and waits. Returns whether another signal came.
    pub(super) async fn announced(self, api: &RuntimeApi, another: impl Future<Output = ()>) -> bool {
        api.announced.store(true, Relaxed);
        if self.announce.is_zero() {
            return false;
        }
        tracing::info!(
            seconds = self.announce.as_secs_f64(),
            "the end is announced: /ready answers 503"
        );
        tokio::time::timeout(self.announce, another).await.is_ok()
    }

    /// Stops accepting, closes the clients that are left, and waits for their ends or for another signal.
    pub(super) async fn closed(self, api: &RuntimeApi, another: impl Future<Output = ()>) {
        let file = api.config().stopping.clone();
        let over = self.over.max(Stopping::read(file.as_deref()).over);
        if over.is_zero() {
            return;
        }
        let closing = async {
            api.drain().await;
            api.close_clients(over).await;
            tracing::info!(
                seconds = over.as_secs_f64(),
                "connections are closed one after another"
            );
            tokio::time::sleep(over + ANSWER_TIMEOUT).await;
        };
        tokio::select! {
            () = closing => {}
            () = another => {}
        }
    }
}
