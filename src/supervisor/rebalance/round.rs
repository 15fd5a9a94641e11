//! One second of a rebalance: reads the connections, plans again, and closes the part that is due.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::explain::{nodes, rounded};
use super::plan::{Close, Pace, is_even, plan, variance};
use super::survey::{Assigned, Scope, Survey, Target, from_kernel, refused};
use crate::api::{RebalanceNode, Refusal};
use crate::base::units::Percent;
use crate::haproxy_api::Socket;
use crate::platform::sock_diag::close;

/// The time from the beginning of a round to that of the next one.
const ROUND: Duration = Duration::from_secs(1);
/// Closes that are further apart than this are not made up for when they are late.
const MIN_SPACING: Duration = Duration::from_millis(5);
/// Closes that are closer together may be late by this time, and are made up for.
const MAX_DELAY: Duration = Duration::from_millis(20);

/// What a round starts from.
pub(super) struct Round {
    pub(super) scope: Scope,
    pub(super) to: Percent,
    pub(super) pace: Pace,
    /// The time since the rebalance began.
    pub(super) elapsed: Duration,
    /// The connections that were closed before.
    pub(super) closed: u64,
    /// How many connections there were at the last round, and how many that has closed.
    pub(super) before: Option<(u64, u64)>,
    /// When the next connection may be closed.
    pub(super) next_close: Instant,
    /// Whether it may wait for nodes that do not get their share of new clients yet.
    pub(super) may_wait: bool,
    pub(super) cancelled: CancellationToken,
}

/// What a round has found and done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::supervisor) struct Done {
    pub(in crate::supervisor) nodes: Vec<RebalanceNode>,
    /// `(max - min) / mean`, in percent.
    pub(in crate::supervisor) variance: f64,
    /// Whether the nodes were even.
    pub(in crate::supervisor) is_even: bool,
    /// Whether nothing was closed because nodes do not get their share of new clients yet.
    pub(in crate::supervisor) waits: bool,
    /// Whether connections are planned to be closed, now or later.
    pub(in crate::supervisor) has_plan: bool,
    pub(in crate::supervisor) closed: u64,
    /// When the next connection may be closed; `None` if none was closed.
    pub(in crate::supervisor) next_close: Option<Instant>,
    /// The nodes that clients were assigned to.
    pub(in crate::supervisor) assigned: Assigned,
}

impl Round {
    /// Carries it out; it takes a second, unless the nodes are even.
    pub(super) async fn run(self) -> Result<Done, Refusal> {
        let began = Instant::now();
        let survey = Survey::read(&self.scope).await?;
        let all: u64 = survey.loads.iter().map(|load| load.connections).sum();
        // Clients whose connections were closed are about to connect again.
        let returning = self
            .before
            .map_or(0, |(before, closed)| closed.min(before.saturating_sub(all)));
        let plan = plan(&survey.loads, &survey.groups, self.to, returning);
        let mut done = Done {
            nodes: nodes(&survey, returning),
            variance: rounded(variance(&survey.loads)),
            is_even: is_even(&survey.loads, self.to),
            waits: self.may_wait && !survey.slow.is_empty(),
            has_plan: !plan.closes.is_empty(),
            ..Done::default()
        };
        if done.is_even {
            return Ok(done);
        }
        let due = if done.waits {
            0
        } else {
            self.pace.due(self.elapsed, self.closed)
        };
        let due = usize::try_from(due).unwrap_or(usize::MAX).min(plan.closes.len());
        let closes = plan.closes.get(..due).unwrap_or_default();
        // A round that is cancelled has closed less.
        let failed = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => None,
            result = self.close(&survey, closes, began, &mut done) => result.err(),
        };
        if let Some(refusal) = failed {
            return Err(refusal);
        }
        tokio::select! {
            () = sleep_until(began + ROUND) => {}
            () = self.cancelled.cancelled() => {}
        }
        Ok(done)
    }

    // Private

    /// Closes connections one after another.
    async fn close(
        &self,
        survey: &Survey,
        closes: &[Close],
        began: Instant,
        done: &mut Done,
    ) -> Result<(), Refusal> {
        self.assign(survey, closes, done).await?;
        let spacing = self.pace.spacing();
        let delay = if spacing < MIN_SPACING {
            MAX_DELAY
        } else {
            Duration::ZERO
        };
        let mut at = self.next_close;
        for close in closes {
            if at >= began + ROUND {
                break;
            }
            sleep_until(at).await;
            if let Some(target) = survey.targets.get(close.connection) {
                done.closed += u64::from(self.close_one(target).await?);
            }
            let now = Instant::now();
            at = at.max(now.checked_sub(delay).unwrap_or(now)) + spacing;
            done.next_close = Some(at);
        }
        Ok(())
    }

    /// Makes clients belong to their next nodes, before they come back.
    async fn assign(&self, survey: &Survey, closes: &[Close], done: &mut Done) -> Result<(), Refusal> {
        let orders = self
            .scope
            .spec
            .balancer
            .orders(&self.scope.spec.cluster, &self.scope.spec.run_dir);
        let mut assigned = BTreeSet::new();
        for close in closes {
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
            done.assigned.insert((*backend, client), node.clone());
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
