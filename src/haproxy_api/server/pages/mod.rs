//! The HTTP pages of a data plane: the statistics page, its figures as CSV, `typed` and JSON,
//! `/metrics`, and its health. They cannot change anything.

mod answer;
mod html;
mod metrics;
mod number;
mod status;

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::commands::{Format, Question};
use super::subject::Subject;
use crate::platform::listen::{Excess, serve_each};
use answer::Page;

/// The most connections to one listener; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 256;
/// The timeout for a request's header, and between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest header, in bytes.
const BUFFER: usize = 16 * 1_024;
/// The longest life of a connection; a client that needs more opens a new one.
const MAX_CONNECTION_AGE: Duration = Duration::from_mins(5);
/// How long an answer may still be sent after the shutdown began.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The pages of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `/stats` and `/metrics`.
    Stats,
    /// `/health` and `/nginx_status`.
    Status,
}

/// Serves `site` until the shutdown.
///
/// # Errors
/// If the current runtime cannot watch the listener.
pub async fn serve<S: Subject>(
    listener: TcpListener,
    site: Site,
    subject: Arc<S>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?.to_string();
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let accept = |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(stream, _)| stream);
    let serve = |stream| {
        let (subject, shutdown) = (Arc::clone(&subject), shutdown.clone());
        async move { serve_connection(stream, site, &subject, &shutdown).await }
    };
    let mut connections =
        serve_each(&address, accept, MAX_CONNECTIONS, Excess::Waits, &shutdown, serve).await;
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// The answer of `site` to one request about `subject`.
pub fn shown<S: Subject>(site: Site, method: &Method, uri: &Uri, subject: &S) -> Response<Full<Bytes>> {
    let page = match *method {
        Method::GET | Method::HEAD => site.page(uri.path(), uri.query(), subject),
        _ => Page::not_allowed(),
    };
    page.into_response()
}

// Private

/// Serves one connection.
async fn serve_connection<S: Subject>(
    stream: TcpStream,
    site: Site,
    subject: &Arc<S>,
    shutdown: &CancellationToken,
) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(shown(site, request.method(), request.uri(), &**subject))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // Errors are clients that have left or do not speak HTTP; hyper has answered them.
    tokio::select! {
        _ended = connection.as_mut() => return,
        () = tokio::time::sleep(MAX_CONNECTION_AGE) => {}
        () = shutdown.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ended = timeout(SHUTDOWN_GRACE, connection).await;
}

impl Site {
    fn page<S: Subject>(self, path: &str, query: Option<&str>, subject: &S) -> Page {
        match (self, path) {
            (Site::Stats, "/") => Page::moved("/stats"),
            (Site::Stats, "/metrics") => metrics::page(query.unwrap_or_default(), subject),
            (Site::Stats, path) => match path.split_once("/stats") {
                Some(("", options)) if options.is_empty() || options.starts_with(';') => {
                    stats(options, subject)
                }
                _ => Page::not_found(),
            },
            (Site::Status, "/health") => status::health(&subject.proxies()),
            (Site::Status, "/nginx_status") => status::like_nginx(subject),
            (Site::Status, _) => Page::not_found(),
        }
    }
}

/// `/stats;csv`, and HAProxy's other options after a semicolon.
fn stats<S: Subject>(options: &str, subject: &S) -> Page {
    let options: Vec<&str> = options.split(';').collect();
    let question = Question::new(&options, true);
    match question.format {
        Format::Json => Page::json(question.answer(&subject.proxies())),
        Format::Plain { .. } if !options.contains(&"csv") => {
            let refresh = !options.contains(&"norefresh");
            match html::page(&subject.process(), &subject.proxies(), refresh) {
                Ok(page) => Page::html(page),
                Err(why) => Page::failed(&why),
            }
        }
        Format::Plain { .. } | Format::Typed { .. } => Page::text(question.answer(&subject.proxies())),
    }
}
