//! A server of pages.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Response;
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Answer, Client};
use crate::platform::listen::{Slot, Slots, lengthen_backlog, serve_each};

/// The timeout between two requests on a connection. Prometheus asks every 15 s or every minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1_024;
/// How long the first request of a connection may take to arrive after the shutdown began.
const REQUEST_GRACE: Duration = Duration::from_millis(200);
/// How long an answer may still be sent after the shutdown began.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Serves what `pages` answers to clients of `listener` until the shutdown, in at most
/// `max_connections` connections. Bodies of requests are ignored.
///
/// # Errors
/// If the current runtime cannot watch the listener.
pub async fn serve<Pages, B>(
    listener: TcpListener,
    max_connections: usize,
    pages: Pages,
    shutdown: &CancellationToken,
) -> io::Result<()>
where
    Pages: Service<hyper::Request<Incoming>, Response = Response<B>, Error = Infallible>,
    Pages: Clone + Send + Sync + 'static,
    Pages::Future: Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let address = listener.local_addr()?.to_string();
    listener.set_nonblocking(true)?;
    lengthen_backlog(&listener)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let slots = Slots::new(&address, max_connections);
    let accept = |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(stream, _)| stream);
    let serve = |stream, slot| {
        let (pages, shutdown) = (pages.clone(), shutdown.clone());
        async move { serve_connection(stream, slot, &pages, &shutdown).await }
    };
    let mut connections = serve_each(&address, accept, &slots, shutdown, serve).await;
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

// Private

async fn serve_connection<Pages, B>(
    stream: TcpStream,
    slot: Slot,
    pages: &Pages,
    shutdown: &CancellationToken,
) where
    Pages: Service<hyper::Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes> + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // This fails only on a broken connection, and the next read reports that.
    let _set = stream.set_nodelay(true);
    let client = Client::new(slot, IDLE_TIMEOUT);
    let service = service_fn(|incoming| {
        let request = client.request();
        let has_slot = client.keep_slot();
        async move {
            if !has_slot {
                // The connection ends now.
                std::future::pending::<()>().await;
            }
            // Other clients have their turn before the next page, however many requests came at once.
            yield_now().await;
            let answer = pages.call(incoming).await?;
            Ok::<_, Infallible>(answer.map(|body| Answer::new(body, request)))
        }
    });
    let connection = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(client.watch(stream)), service);
    let mut connection = pin!(connection);
    // Errors are clients that have left or do not speak HTTP; hyper has answered them.
    tokio::select! {
        biased;
        _ended = connection.as_mut() => return,
        () = client.must_end() => return,
        () = shutdown.cancelled() => {}
    }
    // Without this, a connection that was accepted just before would end without an answer.
    let on_its_way = poll_fn(|cx| {
        let is_over = connection.as_mut().poll(cx).is_ready();
        if is_over || !client.awaits_request() {
            return Poll::Ready(is_over);
        }
        Poll::Pending
    });
    if timeout(REQUEST_GRACE, on_its_way).await == Ok(true) {
        return;
    }
    connection.as_mut().graceful_shutdown();
    let _ended = timeout(SHUTDOWN_GRACE, connection).await;
}
