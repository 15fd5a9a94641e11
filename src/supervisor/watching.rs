//! Watches one process from its start: hears of its first answer, and of its end.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::mpsc;

use super::news::News;
use super::rollout::Who;
use crate::platform::{Identity, Process};
use crate::probe::Probe;
use crate::runtime::Socket;

/// Between two questions to a process that has not answered yet.
const ASK_AGAIN: Duration = Duration::from_millis(25);

/// What a process must answer to be ready.
pub(super) enum Ready {
    /// Every probe.
    Node(Vec<Probe>),
    /// Its runtime socket, with its own pid; one without a socket is ready when it runs.
    Balancer(Option<PathBuf>),
}

/// Sends news of the process until it has ended.
pub(super) fn watch(who: Who, mut process: Process, ready: Ready, news: mpsc::Sender<News>) {
    let identity = process.identity();
    tokio::spawn(async move {
        let asking = tokio::spawn(ask(who, identity, ready, news.clone()));
        let how = match process.ended().await {
            Ok(Some(status)) => ending(status),
            Ok(None) => "ended; exit status unknown, because another supervisor started it".to_owned(),
            Err(error) => format!("cannot be watched: {error}"),
        };
        asking.abort();
        let _nobody_listens_after_the_end = news
            .send(News::Ended {
                who,
                process: identity,
                how,
            })
            .await;
    });
}

// Private

async fn ask(who: Who, process: Identity, ready: Ready, news: mpsc::Sender<News>) {
    while !answers(process, &ready).await {
        tokio::time::sleep(ASK_AGAIN).await;
    }
    let _nobody_listens_after_the_end = news.send(News::Answered { who, process }).await;
}

async fn answers(process: Identity, ready: &Ready) -> bool {
    match ready {
        Ready::Node(probes) => {
            for probe in probes {
                if probe.ask().await.is_err() {
                    return false;
                }
            }
            true
        }
        // The socket's path outlives a dead balancer and is the new one's too: only the pid tells them apart.
        Ready::Balancer(Some(socket)) => Socket::new(socket.clone())
            .info()
            .await
            .is_ok_and(|info| info.pid == process.pid),
        Ready::Balancer(None) => true,
    }
}

/// An exit status in words.
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
    fn endings_are_told_in_words() {
        assert_eq!(ending(ExitStatus::from_raw(3 << 8)), "exited with code 3");
        assert_eq!(ending(ExitStatus::from_raw(9)), "killed by SIGKILL");
    }
}
