//! A node that is made to fail, and what the supervisor reports about it.

use std::io;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use super::order::Cluster;
use super::results::FailoverMode;
use crate::api::{Client, Failover, GetFailovers, GetStatus};
use crate::platform::Identity;

/// The process of a node that was made to fail. A stopped process continues when this is dropped.
#[derive(Debug)]
pub(super) struct InjectedFault {
    node: String,
    process: Identity,
    mode: FailoverMode,
    /// Microseconds since 1970.
    at_unix_us: u64,
    supervisor: Client,
    /// The last report of the supervisor.
    reported: Option<Failover>,
}

/// Why a node cannot be made to fail.
#[derive(Debug, thiserror::Error)]
pub(super) enum FaultError {
    /// The node does not run on this host, or is not running.
    #[error("it has no running process")]
    NoProcess,
    /// The supervisor did not answer which process it is.
    #[error(transparent)]
    Supervisor(#[from] crate::api::ClientError),
    /// The signal could not be sent.
    #[error("cannot send a signal: {0}")]
    Signal(#[from] io::Error),
}

/// The process of `node`.
pub(super) async fn process_of(cluster: &Cluster, node: &str) -> Result<Identity, FaultError> {
    let status = cluster.supervisor.call(&GetStatus).await?;
    let known = status.nodes.iter().find(|known| known.name == node);
    known
        .and_then(|node| Identity::of(node.pid?))
        .ok_or(FaultError::NoProcess)
}

impl InjectedFault {
    /// Makes the process of `node` fail, now.
    pub(super) fn begin(
        cluster: &Cluster,
        node: &str,
        mode: FailoverMode,
        process: Identity,
    ) -> Result<InjectedFault, FaultError> {
        let at_unix_us = unix_us(SystemTime::now());
        process.signal(match mode {
            FailoverMode::Kill => Signal::SIGKILL,
            FailoverMode::Stop => Signal::SIGSTOP,
        })?;
        Ok(InjectedFault {
            node: node.to_owned(),
            process,
            mode,
            at_unix_us,
            supervisor: cluster.supervisor.clone(),
            reported: None,
        })
    }

    /// Asks the supervisor for its current report.
    pub(super) async fn poll(&mut self) {
        let Ok(failovers) = self.supervisor.call(&GetFailovers).await else {
            return;
        };
        // The node's last sign of life may precede the stop a little: probes come once a second.
        let begin = self.at_unix_us.saturating_sub(2_000_000);
        let is_this = |failover: &Failover| failover.node == self.node && failover.began_unix_us >= begin;
        self.reported = failovers
            .failovers
            .into_iter()
            .find(is_this)
            .or(self.reported.take());
    }

    /// When the supervisor detected the failure, in ms since the node was made to fail.
    pub(super) fn detected_ms(&self) -> Option<f64> {
        self.since(|reported| Some(reported.detected_ms))
    }

    /// When the node answered again, in ms since it was made to fail.
    pub(super) fn back_ms(&self) -> Option<f64> {
        self.since(|reported| reported.back_ms)
    }

    /// Continues a stopped process.
    pub(super) fn resume(&mut self) {
        if self.mode == FailoverMode::Stop {
            // A process that was killed because it did not answer needs no more signals.
            let _gone = self.process.signal(Signal::SIGCONT);
        }
    }

    // Private

    /// Converts a time of the supervisor, which counts from the last sign of life, to one that
    /// counts from when the node was made to fail.
    fn since(&self, time: impl Fn(&Failover) -> Option<f64>) -> Option<f64> {
        let reported = self.reported.as_ref()?;
        #[expect(clippy::cast_precision_loss, reason = "within some seconds of each other")]
        let later = (i128::from(reported.began_unix_us) - i128::from(self.at_unix_us)) as f64 / 1_000.0;
        Some((time(reported)? + later).max(0.0))
    }
}

impl Drop for InjectedFault {
    fn drop(&mut self) {
        self.resume();
    }
}

// Private

fn unix_us(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
