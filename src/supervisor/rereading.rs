//! A reload by the process that runs: it reads its files again, and all that it has goes on.

use std::time::Instant;

use super::child::Child;
use super::core::Core;
use super::news::News;
use super::reloading::{BALANCER, log_end, write_all};
use crate::runtime::{RuntimeError, Socket};

/// What cannot happen: who reloads itself is told by its socket.
const NO_SOCKET: &str = "it has no runtime API";

impl Core {
    /// Writes the files, and lets the running instance read them.
    pub(super) fn tell_to_reread(&mut self, now: Instant) {
        let Some(reload) = &self.reload else { return };
        self.log_starts.insert(BALANCER, log_end(&self.setting));
        // Where it is now: the files may name another socket.
        let socket = self.setting.socket(0).ok_or(NO_SOCKET.to_owned());
        let told = write_all(&reload.prepared, &self.drains).map_err(|error| error.to_string());
        match told.and(socket) {
            Ok(socket) => {
                let news = self.news.clone();
                tokio::spawn(async move {
                    let outcome = Socket::new(socket).reload().await.map_err(words);
                    let _nobody_listens_after_the_end = news.send(News::Reread(outcome)).await;
                });
            }
            Err(why) => self.reload_failed(&why, now),
        }
    }

    /// The running instance has read its files again, or refuses them.
    pub(super) fn reread(&mut self, outcome: Result<(), String>, now: Instant) {
        if let Err(why) = outcome {
            return self.reload_failed(&why, now);
        }
        let pid = self
            .children
            .get(&BALANCER)
            .and_then(Child::process)
            .map(|it| it.pid);
        self.reload_done(pid, now);
        if self.children.get(&BALANCER).is_some_and(Child::is_up) {
            self.give_voice(BALANCER, 0, now);
        }
    }
}

// Private

/// Why the running instance did not do as it was told.
fn words(error: RuntimeError) -> String {
    match error {
        RuntimeError::Refused { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}
