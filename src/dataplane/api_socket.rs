//! The socket of the runtime API, where two processes on the same listeners follow one another.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::runtime_api::RuntimeApi;
use crate::dataplane_config::Dataplane;
use crate::haproxy_api::server::{self, ApiListener, ApiListenerError, Level};

/// Time between two looks whether the socket of a successor is left behind.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Opens the socket of `config`.
pub(super) fn open(config: &Dataplane) -> Result<ApiListener, ApiListenerError> {
    if config.listeners.is_some() {
        // A former process on the same listeners may still answer there.
        ApiListener::replace(&config.socket)
    } else {
        ApiListener::open(&config.socket)
    }
}

/// Answers on the socket until the `end`. A successor that has replaced the socket may die before this
/// process is drained: then the socket is opened again. One that was removed by hand is not.
pub(super) async fn serve(
    listener: ApiListener,
    api: Arc<RuntimeApi>,
    end: CancellationToken,
) -> io::Result<()> {
    let mut place = listener.place();
    let mut is_replaced = false;
    let mut serving = JoinSet::new();
    let answer = |listener| server::serve(listener, Arc::clone(&api), Level::Admin, end.clone());
    serving.spawn(answer(listener));
    loop {
        tokio::select! {
            () = end.cancelled() => break,
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
        }
        is_replaced |= place.is_replaced();
        if !is_replaced || !place.is_abandoned() {
            continue;
        }
        match ApiListener::open(place.path()) {
            Ok(again) => {
                tracing::warn!(socket = %place.path().display(), "a successor has died: the socket is opened again");
                place = again.place();
                is_replaced = false;
                serving.spawn(answer(again));
            }
            Err(error) => {
                tracing::warn!("the socket of a successor that has died cannot be replaced: {error}");
            }
        }
    }
    while serving.join_next().await.is_some() {}
    Ok(())
}
