//! A reload by the running process: it reads its files again, or starts workers that do, and keeps
//! its connections.

use std::path::PathBuf;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::log_end;
use crate::balancer::ReloadBy;
use crate::haproxy_api::{RuntimeError, Socket};
use crate::platform::Identity;
use crate::supervisor::balancer_link::config_files::write_all;
use crate::supervisor::balancer_link::worker_reload::reload_workers;
use crate::supervisor::core::Core;
use crate::supervisor::event::CoreEvent;
use crate::supervisor::process::child::Child;
use crate::supervisor::waves::ChildId;

/// The only instance: several instances are replaced by successors instead.
const BALANCER: ChildId = ChildId::Balancer(0);

/// How the running instance is made to read its files again.
enum RereadBy {
    ByApi(PathBuf),
    BySignal {
        master: Identity,
        signal: Signal,
        log: PathBuf,
    },
}

impl Core {
    /// Writes the files, and makes the running instance read them.
    pub(in crate::supervisor) fn begin_reread(&mut self, now: Instant) {
        let method = self.how_to_reread();
        let Some(reload) = &self.reloads.current else {
            return;
        };
        self.children.set_log_start(BALANCER, log_end(&self.spec));
        let opened = self.listeners.add(&reload.prepared.spec);
        let written = opened.and_then(|()| write_all(&reload.prepared, &self.away_in(&reload.prepared.spec)));
        let written = written.map_err(|error| error.to_string());
        // It would write the previous files. An order that waits for that update waits for the next
        // one.
        self.link.disconnect(BALANCER);
        match written.and(method) {
            Ok(method) => {
                self.events
                    .spawn(async move { CoreEvent::Reread(method.reread().await) });
            }
            Err(why) => self.reread(Err(why), now),
        }
    }

    /// The running instance has read its files again, or rejects them.
    pub(in crate::supervisor) fn reread(&mut self, outcome: Result<(), String>, now: Instant) {
        let process = self.children.process(BALANCER);
        match outcome {
            Ok(()) => self.reload_done(process.map(|it| it.pid), now),
            Err(why) => self.reload_failed(&why, now),
        }
        if self.children.get(BALANCER).is_some_and(Child::is_up) {
            self.begin_sync(BALANCER, now);
        }
    }

    // Private

    /// How the instance can be reached now: the new files may name another socket.
    fn how_to_reread(&self) -> Result<RereadBy, String> {
        let process = self.children.process(BALANCER);
        match (self.spec.balancer.reload(), self.spec.socket(0), process) {
            (ReloadBy::Workers(signal), _, Some(master)) => Ok(RereadBy::BySignal {
                master,
                signal,
                log: self.spec.balancer_log(),
            }),
            (_, Some(socket), Some(_)) => Ok(RereadBy::ByApi(socket)),
            (_, None, Some(_)) => Err("it has no runtime API".to_owned()),
            (_, _, None) => Err("the running instance has ended".to_owned()),
        }
    }
}

impl RereadBy {
    async fn reread(self) -> Result<(), String> {
        match self {
            RereadBy::ByApi(socket) => Socket::new(socket).reload().await.map_err(text),
            RereadBy::BySignal { master, signal, log } => reload_workers(master, signal, &log).await,
        }
    }
}

// Private

/// Why the running instance did not reload, as text.
fn text(error: RuntimeError) -> String {
    match error {
        RuntimeError::Refused { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}
