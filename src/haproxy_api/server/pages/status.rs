//! Health pages, for load balancers in front of this one and for monitoring.

use hyper::StatusCode;

use super::super::figures::Proxies;
use super::super::state;
use super::super::subject::Subject;
use super::answer::Page;

/// The same answer as by the generated `haproxy.cfg`: it depends on the servers of the first
/// backend.
pub(super) fn health(proxies: &Proxies) -> Page {
    page(proxies, None)
}

/// Whether new clients should come here: the health, unless the end is announced.
pub(super) fn ready<S: Subject>(subject: &S) -> Page {
    let stopping = subject.is_stop_announced().then_some("stopping");
    page(&subject.proxies(), stopping)
}

/// Whether the process does its work, whatever its servers do.
pub(super) fn live(is_live: bool) -> Page {
    let (word, status) = if is_live {
        ("live", StatusCode::OK)
    } else {
        ("stuck", StatusCode::SERVICE_UNAVAILABLE)
    };
    Page::json(format!(r#"{{"status":"{word}"}}"#)).with(status)
}

/// The format of nginx's `stub_status`. A request is a connection that was served.
pub(super) fn like_nginx<S: Subject>(subject: &S) -> Page {
    let process = subject.process();
    let accepted = process.connections_total;
    let denied: u64 = subject
        .proxies()
        .frontends
        .iter()
        .map(|it| it.denied_connections)
        .sum();
    let handled = accepted.saturating_sub(denied);
    let active = process.connections;
    Page::text(format!(
        "Active connections: {active} \n\
         server accepts handled requests\n \
         {accepted} {handled} {handled} \n\
         Reading: 0 Writing: {active} Waiting: 0 \n"
    ))
}

// Private

/// How many servers of the first backend get clients; 503 if none does, or with an `ending` word.
fn page(proxies: &Proxies, ending: Option<&str>) -> Page {
    let first = proxies.backends.first();
    let (up, all) = first.map_or((0, 0), |backend| (state::usable(backend), backend.servers.len()));
    let (word, status) = match (ending, up) {
        (Some(ending), _) => (ending, StatusCode::SERVICE_UNAVAILABLE),
        (None, 0) => ("down", StatusCode::SERVICE_UNAVAILABLE),
        (None, _) => ("up", StatusCode::OK),
    };
    Page::json(format!(r#"{{"status":"{word}","nodes_up":{up},"nodes":{all}}}"#)).with(status)
}
