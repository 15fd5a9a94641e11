//! Server-sent events: messages to a client in an answer that stays open.
//!
//! Format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>. Events have no id:
//! messages that a client misses while it has no stream are lost, and a client that has received no
//! id requests no replay.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use hyper::body::Frame;
use tokio_util::sync::CancellationToken;

use crate::node::answer::Later;
use crate::node::outbox::Reader;

/// Time between two keep-alive comments on an idle stream. Well below the minute after which idle
/// connections are usually cut.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// A stream of events, as a body.
pub(super) type Events = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

/// `first`, then the messages of `reader`, until there are no more, the node ends, or the stream is
/// no longer wanted: `wanted` is checked at intervals.
pub(super) fn notifications(
    first: Option<Bytes>,
    reader: Reader,
    shutdown: CancellationToken,
    wanted: impl Fn() -> bool + Send + 'static,
) -> Events {
    let state = (first, reader, shutdown, wanted);
    Box::pin(stream::unfold(
        state,
        |(first, mut reader, shutdown, wanted)| async move {
            if let Some(first) = first {
                return Some((frame(first), (None, reader, shutdown, wanted)));
            }
            let bytes = tokio::select! {
                json = reader.next() => message(&json?),
                () = shutdown.cancelled() => return None,
                () = tokio::time::sleep(KEEP_ALIVE_INTERVAL) => {
                    if !wanted() {
                        return None;
                    }
                    keep_alive()
                }
            };
            Some((frame(bytes), (None, reader, shutdown, wanted)))
        },
    ))
}

/// The answer to one request, preceded by the messages that `reader` gets until then.
pub(super) fn answer(reader: Reader, answer: Later<Vec<u8>>) -> Events {
    let state = (reader, Some(answer));
    Box::pin(stream::unfold(state, |(mut reader, answer)| async move {
        let mut answer = answer?;
        let bytes = tokio::select! {
            Some(json) = reader.next() => message(&json),
            json = &mut answer => {
                let late = std::iter::from_fn(|| reader.take());
                let all: Vec<Bytes> = late.chain([json.into()]).map(|json| message(&json)).collect();
                return Some((frame(all.concat().into()), (reader, None)));
            }
            () = tokio::time::sleep(KEEP_ALIVE_INTERVAL) => keep_alive(),
        };
        Some((frame(bytes), (reader, Some(answer))))
    }))
}

/// The answer to `subscriptions/listen`: `first`, then keep-alives until the node ends, then `last`.
pub(super) fn subscription(first: &[u8], last: &[u8], shutdown: CancellationToken) -> Events {
    let state = (Some(message(first)), Some(message(last)), shutdown);
    Box::pin(stream::unfold(state, |(first, last, shutdown)| async move {
        if let Some(first) = first {
            return Some((frame(first), (None, last, shutdown)));
        }
        let end = last.clone()?;
        tokio::select! {
            () = shutdown.cancelled() => Some((frame(end), (None, None, shutdown))),
            () = tokio::time::sleep(KEEP_ALIVE_INTERVAL) => Some((frame(keep_alive()), (None, last, shutdown))),
        }
    }))
}

/// A response, and the messages before it that are there already.
pub(super) fn all(messages: impl IntoIterator<Item = Bytes>) -> Events {
    let messages: Vec<Bytes> = messages.into_iter().map(|json| message(&json)).collect();
    Box::pin(stream::iter([frame(messages.concat().into())]))
}

/// One event.
pub(super) fn event(name: &str, data: &[u8]) -> Bytes {
    // JSON that the node writes has no line ends.
    [b"event: ", name.as_bytes(), b"\ndata: ", data, b"\n\n"]
        .concat()
        .into()
}

// Private

fn message(json: &[u8]) -> Bytes {
    event("message", json)
}

/// A comment.
fn keep_alive() -> Bytes {
    Bytes::from_static(b": keep-alive\n\n")
}

#[expect(clippy::unnecessary_wraps, reason = "bodies can fail")]
fn frame(bytes: Bytes) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::StreamExt;

    use super::*;
    use crate::node::outbox::Outbox;

    async fn next(events: &mut Events) -> Option<String> {
        let frame = events.next().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_stream_gets_keep_alives_while_it_is_wanted() {
        let outbox = Arc::<Outbox>::default();
        let wanted = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&wanted);
        let first = Some(event("endpoint", b"/x"));
        let mut events = notifications(
            first,
            outbox.open(Arc::default()),
            CancellationToken::new(),
            move || still.load(Ordering::Relaxed),
        );
        assert_eq!(next(&mut events).await.unwrap(), "event: endpoint\ndata: /x\n\n");
        assert_eq!(next(&mut events).await.unwrap(), ": keep-alive\n\n");
        outbox.put("{}");
        assert_eq!(next(&mut events).await.unwrap(), "event: message\ndata: {}\n\n");
        wanted.store(false, Ordering::Relaxed);
        assert_eq!(next(&mut events).await, None);
    }

    #[tokio::test]
    async fn the_shutdown_ends_a_stream() {
        let outbox = Arc::<Outbox>::default();
        let shutdown = CancellationToken::new();
        let mut events = notifications(None, outbox.open(Arc::default()), shutdown.clone(), || true);
        shutdown.cancel();
        assert_eq!(next(&mut events).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_the_last_event_of_its_stream() {
        let outbox = Arc::<Outbox>::default();
        let sender = Arc::clone(&outbox);
        let later: Later<Vec<u8>> = Box::pin(async move {
            tokio::time::sleep(KEEP_ALIVE_INTERVAL * 3 / 2).await;
            sender.put("1");
            b"2".to_vec()
        });
        let mut events = answer(outbox.open(Arc::default()), later);
        assert_eq!(next(&mut events).await.unwrap(), ": keep-alive\n\n");
        assert_eq!(
            next(&mut events).await.unwrap(),
            "event: message\ndata: 1\n\nevent: message\ndata: 2\n\n"
        );
        assert_eq!(next(&mut events).await, None);
    }
}
