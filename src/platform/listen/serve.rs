//! A server with few connections: a task for each one, and a limit on their number.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base::telemetry::Throttle;

/// Wait after a failed accept; the usual cause is a lack of descriptors.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two log lines about the same trouble.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What happens to connections above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// They wait in the accept queue.
    Waits,
    /// They are closed.
    IsClosed,
}

/// Serves what `accept`, a listener's `poll_accept`, accepts on `place` until `shutdown`, at most
/// `limit` connections at the same time. Returns those that are left: dropping them closes them.
pub async fn serve_each<Stream, Serving>(
    place: &str,
    accept: impl Fn(&mut Context<'_>) -> Poll<io::Result<Stream>>,
    limit: usize,
    excess: Excess,
    shutdown: &CancellationToken,
    serve: impl Fn(Stream) -> Serving,
) -> JoinSet<()>
where
    Serving: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut trouble = Throttle::new(LOG_INTERVAL);
    loop {
        let is_full = connections.len() >= limit;
        tokio::select! {
            () = shutdown.cancelled() => return connections,
            Some(_) = connections.join_next() => {}
            accepted = poll_fn(&accept), if !is_full || excess == Excess::IsClosed => match accepted {
                Ok(_closed) if is_full => {}
                Ok(stream) => drop(connections.spawn(serve(stream))),
                Err(error) => {
                    if trouble.after(Instant::now()).is_some() {
                        tracing::warn!("cannot accept on `{place}`: {error}");
                    }
                    tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
                }
            },
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
        let accept = |_: &mut Context<'_>| match asked.load(Relaxed) {
            4 => Poll::Pending,
            number => {
                asked.store(number + 1, Relaxed);
                let failed = Err(io::Error::from(io::ErrorKind::OutOfMemory));
                Poll::Ready(if number == 0 { failed } else { Ok(number) })
            }
        };
        // One fails, two are served; only where the excess is closed is there more to accept.
        for (excess, accepted) in [(Excess::Waits, 3), (Excess::IsClosed, 4)] {
            asked.store(0, Relaxed);
            let end = CancellationToken::new();
            let serve = |_| closed.clone().cancelled_owned();
            let serving = serve_each("x", accept, 2, excess, &end, serve);
            let (connections, ()) = tokio::join!(serving, async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                end.cancel();
            });
            assert_eq!((asked.load(Relaxed), connections.len()), (accepted, 2));
        }
    }
}
