//! A server with few connections: a task for each one, and a limit on their number.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Slot, Slots};
use crate::base::telemetry::Throttle;

/// Wait after a failed accept; the usual cause is a lack of descriptors.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two log lines about the same trouble.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Serves what `accept`, a listener's `poll_accept`, accepts on `place` until `shutdown`, each
/// connection in one of the `slots`; without a slot, clients wait. Returns the connections that are
/// left: dropping them closes them.
pub async fn serve_each<Stream, Serving>(
    place: &str,
    accept: impl Fn(&mut Context<'_>) -> Poll<io::Result<Stream>>,
    slots: &Slots,
    shutdown: &CancellationToken,
    serve: impl Fn(Stream, Slot) -> Serving,
) -> JoinSet<()>
where
    Serving: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut trouble = Throttle::new(LOG_INTERVAL);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return connections,
            Some(_) = connections.join_next() => continue,
            accepted = poll_fn(&accept) => accepted,
        };
        match accepted {
            Ok(stream) => {
                let slot = tokio::select! {
                    () = shutdown.cancelled() => return connections,
                    slot = slots.wait() => slot,
                };
                connections.spawn(serve(stream, slot));
            }
            Err(error) => {
                if trouble.after(Instant::now()).is_some() {
                    tracing::warn!("cannot accept on `{place}`: {error}");
                }
                tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn errors_are_survived_and_the_limit_is_kept() {
        let (asked, closed) = (AtomicU32::new(0), CancellationToken::new());
        let accept = |_: &mut Context<'_>| {
            let number = asked.fetch_add(1, Relaxed);
            let failed = Err(io::Error::from(io::ErrorKind::OutOfMemory));
            Poll::Ready(if number == 0 { failed } else { Ok(number) })
        };
        let (slots, end) = (Slots::new("x", 2), CancellationToken::new());
        let serve = |_, slot| {
            let closed = closed.clone().cancelled_owned();
            async move {
                closed.await;
                drop(slot);
            }
        };
        let serving = serve_each("x", accept, &slots, &end, serve);
        let (connections, ()) = tokio::join!(serving, async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            end.cancel();
        });
        // One fails, two are served, and one waits.
        assert_eq!((asked.load(Relaxed), connections.len()), (4, 2));
    }
}
