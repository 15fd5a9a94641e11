//! One second of a rebalance: reads the connections, plans again, and closes the part that is due.

mod decision;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub(super) use self::decision::{Found, Progress};
use super::close_timer::CloseTimer;
use super::plan::Close;
use super::returning::ClosedClient;
use super::survey::{Assigned, Scope, Survey, Target, from_kernel, refused};
use crate::api::Refusal;
use crate::haproxy_api::Socket;
use crate::platform::sock_diag::close;

/// The time from the beginning of a round to that of the next one.
pub(super) const ROUND: Duration = Duration::from_secs(1);

/// What a round starts from.
pub(super) struct Round {
    pub(super) scope: Scope,
    pub(super) progress: Progress,
    /// When the next connection may be closed.
    pub(super) next_close: Instant,
    pub(super) cancelled: CancellationToken,
}

/// What a round has found and done, also if it has failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::supervisor) struct RoundResult {
    /// `None` if the connections could not be read.
    pub(in crate::supervisor) found: Option<Found>,
    /// The clients whose connections it has closed.
    pub(in crate::supervisor) closed: Vec<ClosedClient>,
    /// When the next connection may be closed; `None` if none was closed.
    pub(in crate::supervisor) next_close: Option<Instant>,
    /// The nodes that clients were assigned to.
    pub(in crate::supervisor) assigned: Assigned,
    /// Why it could not go on.
    pub(in crate::supervisor) failure: Option<Refusal>,
}

impl Round {
    /// Carries it out; it takes a second, unless the nodes are even.
    pub(super) async fn run(self) -> RoundResult {
        let began = Instant::now();
        let mut result = RoundResult::default();
        let carried_out = match Survey::read(&self.scope).await {
            Ok(survey) => self.carry_out(&survey, began, &mut result).await,
            Err(refusal) => Err(refusal),
        };
        result.failure = carried_out.err();
        result
    }

    // Private

    /// Plans with the connections that there are, and closes those that are due.
    async fn carry_out(
        &self,
        survey: &Survey,
        began: Instant,
        result: &mut RoundResult,
    ) -> Result<(), Refusal> {
        let (found, closes) = self.progress.clone().decide(survey, began.into_std());
        let is_even = found.is_even;
        result.found = Some(found);
        if is_even {
            return Ok(());
        }
        self.close(survey, &closes, began, result).await?;
        tokio::select! {
            () = sleep_until(began + ROUND) => {}
            () = self.cancelled.cancelled() => {}
        }
        Ok(())
    }

    /// Closes connections one after another. A round that is cancelled has closed less, but an order
    /// to close that was sent is always waited for, so that it is counted.
    async fn close(
        &self,
        survey: &Survey,
        closes: &[Close],
        began: Instant,
        result: &mut RoundResult,
    ) -> Result<(), Refusal> {
        self.assign(survey, closes, result).await?;
        let mut timer = CloseTimer::new(self.progress.pace, self.next_close);
        for close in closes {
            if timer.next() >= began + ROUND {
                break;
            }
            tokio::select! {
                biased;
                () = self.cancelled.cancelled() => break,
                () = timer.wait() => {}
            }
            result.next_close = Some(timer.next());
            let at = std::time::Instant::now();
            if let Some(target) = survey.targets.get(close.connection)
                && self.close_one(target).await?
            {
                let node = close.to.and_then(|to| self.scope.serving.get(to)).cloned();
                let address = target.client();
                result.closed.push(ClosedClient { at, address, node });
            }
        }
        Ok(())
    }

    /// Makes clients belong to their next nodes, before they come back.
    async fn assign(
        &self,
        survey: &Survey,
        closes: &[Close],
        result: &mut RoundResult,
    ) -> Result<(), Refusal> {
        let orders = self
            .scope
            .spec
            .balancer
            .orders(&self.scope.spec.cluster, &self.scope.spec.run_dir);
        let mut assigned = BTreeSet::new();
        for close in closes.iter().filter(|close| close.is_assigned) {
            if self.cancelled.is_cancelled() {
                break;
            }
            let (
                Some(Target::Session {
                    socket,
                    session,
                    backend,
                }),
                Some(to),
            ) = (survey.targets.get(close.connection), close.to)
            else {
                continue;
            };
            let Some(node) = self.scope.serving.get(to) else {
                continue;
            };
            let client = session.client.ip();
            if !assigned.insert((socket, *backend, client)) {
                continue;
            }
            let socket = Socket::new(socket);
            let stuck = orders.stick(&socket, backend, client, node).await;
            stuck.map_err(|error| refused(&error))?;
            result.assigned.insert((*backend, client), node.clone());
        }
        Ok(())
    }

    /// Returns whether the connection was still there.
    async fn close_one(&self, target: &Target) -> Result<bool, Refusal> {
        match target {
            Target::Session { socket, session, .. } => {
                let socket = Socket::new(socket);
                let closed = socket.shutdown_session(session).await;
                closed.map_err(|error| refused(&error))
            }
            Target::Connection(connection) => {
                let connection = *connection;
                let closed = from_kernel(move || close(&[connection])).await;
                closed.map(|count| count > 0).map_err(|refusal| Refusal {
                    error: format!("the kernel does not close connections: {}", refusal.error),
                    hint: Some("it needs root, or CAP_NET_ADMIN".to_owned()),
                })
            }
        }
    }
}
