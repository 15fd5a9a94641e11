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
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use tokio_util::sync::CancellationToken;

use super::commands::{Format, StatQuery};
use super::subject::Subject;
use crate::http_server;
use answer::Page;

/// The most connections to one listener.
const MAX_CONNECTIONS: usize = 256;

/// The pages of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `/stats` and `/metrics`.
    Stats,
    /// `/health`, `/ready`, `/live` and `/nginx_status`.
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
    let pages = service_fn(move |request: Request<Incoming>| {
        let subject = Arc::clone(&subject);
        async move {
            let (method, uri) = (request.method(), request.uri());
            let is_about_life = site == Site::Status && uri.path() == "/live";
            let page = if is_about_life && is_allowed(method) {
                status::live(subject.is_live().await).into_response()
            } else {
                shown(site, method, uri, &*subject)
            };
            Ok::<_, Infallible>(page)
        }
    });
    http_server::serve(listener, MAX_CONNECTIONS, pages, &shutdown).await
}

/// The answer of `site` to one request about `subject`.
pub fn shown<S: Subject>(site: Site, method: &Method, uri: &Uri, subject: &S) -> Response<Full<Bytes>> {
    let page = if is_allowed(method) {
        site.page(uri.path(), uri.query(), subject)
    } else {
        Page::not_allowed()
    };
    page.into_response()
}

// Private

const fn is_allowed(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
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
            (Site::Status, "/ready") => status::ready(subject),
            (Site::Status, "/nginx_status") => status::like_nginx(subject),
            (Site::Status, _) => Page::not_found(),
        }
    }
}

/// `/stats;csv`, and HAProxy's other options after a semicolon.
fn stats<S: Subject>(options: &str, subject: &S) -> Page {
    let options: Vec<&str> = options.split(';').collect();
    let query = StatQuery::new(&options, true);
    match query.format {
        Format::Json => Page::json(query.answer(&subject.proxies())),
        Format::Plain { .. } if !options.contains(&"csv") => {
            let refresh = !options.contains(&"norefresh");
            match html::page(&subject.process(), &subject.proxies(), refresh) {
                Ok(page) => Page::html(page),
                Err(why) => Page::failed(&why),
            }
        }
        Format::Plain { .. } | Format::Typed { .. } => Page::text(query.answer(&subject.proxies())),
    }
}
