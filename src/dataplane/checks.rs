//! Health checks: each server is checked at its interval, and sooner while the results contradict
//! its state. A server without checks that was ejected is tried again with clients after a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::Backend;
use super::server::{Event, Server, lock, rules};
use super::shared::Shared;
use crate::dataplane_config::{DataplaneCheck, DataplaneQuestion};
use crate::probe::{Answer, Failure, Probe, Question};

/// For a server that is not checked: time between two looks at whether checks were enabled.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a server without checks stays ejected.
const EJECTION_TIME: Duration = Duration::from_secs(10);
/// The first checks of all servers are spread over this part of an interval.
const START_SLOTS: u32 = 8;

/// Checks a server as long as it belongs to its backend.
pub(super) async fn run(shared: Arc<Shared>, backend: Arc<Backend>, server: Arc<Server>) {
    // Spreads the checks of many servers over time, but runs the first one soon.
    let mut wait = Duration::from_millis(u64::from(server.id % START_SLOTS) * 20);
    loop {
        tokio::time::sleep(wait).await;
        let pool = backend.pool();
        if !pool.has(&server) {
            return;
        }
        let off = lock(&server.check).off || server.state().admin().maint;
        let Some(check) = pool.check_of(&server).filter(|_| !off) else {
            readmit(&shared, &backend, &server);
            wait = IDLE_INTERVAL;
            continue;
        };
        let began = Instant::now();
        drop(pool);
        let answer = ask(&shared, &server, check).await;
        if !backend.pool().has(&server) {
            return;
        }
        record(&shared, &backend, &server, check, (&answer, began));
        let interval = if server.state().is_changing() {
            check.fast_interval
        } else {
            check.interval
        };
        wait = interval.duration().saturating_sub(began.elapsed());
    }
}

// Private

/// Readmits a server that was ejected long enough ago; one more failure ejects it again.
fn readmit(shared: &Shared, backend: &Arc<Backend>, server: &Arc<Server>) {
    let ejected_for = server.state().ejected_for(Instant::now());
    if ejected_for.is_some_and(|elapsed| elapsed >= EJECTION_TIME) {
        let _client_may_be_gone = shared.apply_event(backend, server, Event::Readmitted, "another chance");
        let pool = backend.pool();
        server.set_probation(pool.config.eject_after, pool.config.eject_errors);
    }
}

async fn ask(shared: &Shared, server: &Server, check: DataplaneCheck) -> Result<Answer, Failure> {
    let config = server.config();
    let target = config.check_address.unwrap_or_else(|| server.address());
    let source = shared.topology().config.check_source;
    let probe = Probe {
        target,
        question: match config.question {
            DataplaneQuestion::Tcp => Question::Tcp,
            DataplaneQuestion::Mcp => Question::Mcp,
            DataplaneQuestion::Http => Question::Get(config.check_path.as_str().into()),
            DataplaneQuestion::Discover => Question::Discover(config.check_path.as_str().into()),
        },
        source: source.filter(|source| source.is_ipv4() == target.is_ipv4()),
        timeout: check.timeout.duration(),
    };
    probe.ask().await
}

fn record(
    shared: &Shared,
    backend: &Arc<Backend>,
    server: &Arc<Server>,
    check: DataplaneCheck,
    (answer, sent_at): (&Result<Answer, Failure>, Instant),
) {
    let question = server.config().question;
    let good = answer.is_ok();
    {
        let mut last = lock(&server.check);
        last.status = match answer {
            Ok(_) if question == DataplaneQuestion::Tcp => "L4OK",
            Ok(_) => "L7OK",
            Err(failure) => failure.word(),
        };
        last.code = match answer {
            Ok(answer) => answer.status,
            Err(Failure::Status { status, .. }) => Some(*status),
            Err(_) => None,
        };
        last.duration = Some(u64::try_from(sent_at.elapsed().as_millis()).unwrap_or(u64::MAX));
        last.detail = answer.as_ref().err().map(detail).unwrap_or_default();
        if !good && server.state().holds() {
            last.failed += 1;
        }
    }
    // A local failure does not count against the server.
    if answer.as_ref().is_err_and(|failure| !failure.blames_node()) {
        return;
    }
    let event = Event::Checked {
        good,
        sent_at,
        rules: rules(check),
    };
    let reason = lock(&server.check).status;
    let _client_may_be_gone = shared.apply_event(backend, server, event, reason);
}

/// The text of `last_chk`: the reason, without what other columns contain.
fn detail(failure: &Failure) -> String {
    let why = match failure {
        Failure::Local { why, .. } | Failure::Connect { why, .. } | Failure::Answer { why, .. } => why,
        Failure::ConnectTimeout { .. } | Failure::AnswerTimeout { .. } => "",
        Failure::Status { status, .. } => {
            let status = hyper::StatusCode::from_u16(*status).ok();
            status
                .and_then(|status| status.canonical_reason())
                .unwrap_or_default()
        }
    };
    // The system's messages end with their number.
    why.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_of_a_failed_check_is_haproxys() {
        let target = "127.0.0.1:80".parse().unwrap();
        let status = |status| detail(&Failure::Status { target, status });
        assert_eq!(
            [503, 404, 799].map(status),
            ["Service Unavailable", "Not Found", ""]
        );
        let refused = Failure::Connect {
            target,
            why: "Connection refused (os error 111)".to_owned(),
        };
        assert_eq!(detail(&refused), "Connection refused");
    }
}
