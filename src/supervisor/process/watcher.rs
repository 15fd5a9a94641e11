//! Watches one process from its start: reports its first answer, and its end.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::descendants::Descendants;
use super::port_check::{Answering, answering, listening};
use super::readiness::Readiness;
use crate::platform::{Identity, Process};
use crate::probe::Probe;
use crate::profile::HttpCheck;
use crate::supervisor::event::{CoreEvent, EventSender};

/// Time between two checks of a process that has not answered yet.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Time between two checks of where a process that does not answer listens.
const LISTEN_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// What a process must answer to be ready.
pub(in crate::supervisor) enum Ready {
    /// Every probe, answered by the process itself or by one that it has started.
    Node {
        probes: Vec<Probe>,
        descendants: Descendants,
    },
    /// The readiness of a balancer instance.
    Balancer(Readiness),
}

/// Sends events of the process until it has ended.
pub(in crate::supervisor) fn watch(mut process: Process, ready: Ready, events: EventSender) {
    let identity = process.identity();
    tokio::spawn(async move {
        let asking = tokio::spawn(ask(identity, ready, events.clone()));
        let how = match process.ended().await {
            Ok(Some(status)) => ending(status),
            Ok(None) => "ended; exit status unknown, because another supervisor started it".to_owned(),
            Err(error) => format!("cannot be watched: {error}"),
        };
        asking.abort();
        events
            .send(CoreEvent::Ended {
                process: identity,
                how,
            })
            .await;
    });
}

// Private

async fn ask(process: Identity, ready: Ready, events: EventSender) {
    let mut doubt = None;
    let mut next_check = Instant::now() + LISTEN_CHECK_INTERVAL;
    let mut listens = None;
    let answered = loop {
        let asked = asked(process, &ready).await;
        if asked.is_err() && Instant::now() >= next_check {
            listens = elsewhere(process, &ready).await;
            next_check = Instant::now() + LISTEN_CHECK_INTERVAL;
        }
        let asked = asked.map_err(|why| format!("{why}{}", listens.as_deref().unwrap_or_default()));
        match asked {
            Ok(http_check) => break answer(process, http_check, ready).await,
            Err(why) if doubt.as_ref() == Some(&why) => {}
            Err(why) => {
                doubt = Some(why.clone());
                events.send(CoreEvent::NotReady { process, why }).await;
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    };
    events.send(answered).await;
}

/// Where the process of a node listens instead of at the probed addresses, as the end of a sentence.
async fn elsewhere(process: Identity, ready: &Ready) -> Option<String> {
    let Ready::Node { probes, descendants } = ready else {
        return None;
    };
    let descendants = descendants.clone();
    let listening = tokio::task::spawn_blocking(move || listening(process, &descendants));
    let listening = listening.await.ok()?;
    let missing = probes.iter().any(|probe| {
        let is_it = |address: &SocketAddr| address.port() == probe.target.port();
        !listening.iter().any(is_it)
    });
    let probed: Vec<u16> = probes.iter().map(|probe| probe.target.port()).collect();
    let others: Vec<String> = listening
        .iter()
        .filter(|address| !probed.contains(&address.port()))
        .map(ToString::to_string)
        .collect();
    (missing && !others.is_empty()).then(|| {
        format!(
            "; it listens on {} instead: pass its port in `nodes.command`, or in a variable that it reads, \
             such as `nodes.environment: {{PORT: \"{{http_port}}\"}}`",
            others.join(", ")
        )
    })
}

/// Every probe was answered. Checks whether the process itself answered.
async fn answer(process: Identity, http_check: Option<HttpCheck>, ready: Ready) -> CoreEvent {
    let answered = |note| CoreEvent::Answered {
        process,
        http_check,
        note,
    };
    let Ready::Node { probes, descendants } = ready else {
        return answered(None);
    };
    let addresses: Vec<_> = probes.iter().map(|probe| probe.target).collect();
    let asked = move || answering(&addresses, process, &descendants);
    match tokio::task::spawn_blocking(asked).await {
        Ok(Answering::Another(why)) => CoreEvent::AnsweredByAnother { process, why },
        Ok(Answering::Unseen(why)) => answered(Some(why)),
        Ok(Answering::Itself) | Err(_) => answered(None),
    }
}

/// The check over HTTP that was answered, once everything is; until then, what the process does not
/// answer yet.
async fn asked(process: Identity, ready: &Ready) -> Result<Option<HttpCheck>, String> {
    match ready {
        Ready::Node { probes, .. } => {
            let mut http_check = None;
            for probe in probes {
                let answer = probe.ask().await.map_err(|failure| failure.to_string())?;
                http_check = answer.question.http_check().or(http_check);
            }
            Ok(http_check)
        }
        Ready::Balancer(readiness) => readiness.lacks(process).await.map_or(Ok(None), Err),
    }
}

/// An exit status as text.
fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal().map(Signal::try_from)) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(Ok(signal))) => format!("killed by {signal}"),
        (None, _) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_are_described() {
        assert_eq!(ending(ExitStatus::from_raw(3 << 8)), "exited with code 3");
        assert_eq!(ending(ExitStatus::from_raw(9)), "killed by SIGKILL");
    }
}
