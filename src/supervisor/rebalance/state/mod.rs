//! A rebalance in progress.
//!
//! ```text
//!  order ──▶ Reading ── the nodes are even ───────────────────────────────▶ ended: even
//!              ▲  │  └─ nothing can be closed, five times in a row, late, ▶ ended: uneven
//!              │  │     or fewer than two nodes take clients
//!   a second   │  │ the plan of this second; nothing while a node that came back gets less than
//!   is over    │  │ its share of new clients, or enough clients are on their way back
//!              │  ▼
//!            Closing ── a node changes its state ──▶ Reading, with the nodes that take clients now
//!
//!  from each: the balancer is reloaded or replaced, nodes are restarted, a stop,
//!             or the balancer does not answer ─▶ ended: aborted
//! ```
//!
//! Reading and Closing are one round, which a task carries out. Whatever ends a rebalance, it ends
//! with the result of the round in progress, so that all closes are counted. Nothing is saved: a
//! supervisor that takes over starts without one.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use super::explain::TOO_FEW_NODES;
use super::plan::Pace;
use super::returning::{RETURN_TIME, ReturningClients};
use super::round::{Found, Progress, ROUND, Round, RoundResult};
use super::survey::{Assigned, Scope};
use crate::api::{
    self, EndedRebalance, RebalanceFigures, RebalanceOrder, RebalanceResult, Rebalances as Report, Refusal,
    RolloutKind,
};
use crate::base::date::rfc3339;

/// After so many rounds in a row without anything to close, nothing will be.
const MAX_IDLE_ROUNDS: u32 = 5;
/// So many rounds wait for nodes that do not get their share of new clients yet: longer than a slow
/// start takes.
const MAX_WAITING_ROUNDS: u32 = 15;
/// A rebalance that takes longer than twice its time, and this, ends.
const EXTRA_TIME: Duration = Duration::from_secs(10);
/// Rounds that wait for returning clients do not count in that time, up to this.
const MAX_TIME_FOR_CLIENTS: Duration = RETURN_TIME.saturating_mul(5);

/// The rebalance of a supervisor, if there is one, and the latest one that is over.
#[derive(Default)]
pub(in crate::supervisor) struct RebalanceState {
    current: Option<Running>,
    last: Option<EndedRebalance>,
    /// Counts rounds, so that the end of a cancelled one is ignored.
    rounds: u64,
}

/// A rebalance in progress.
struct Running {
    order: RebalanceOrder,
    pace: Pace,
    began: Instant,
    since: SystemTime,
    figures: RebalanceFigures,
    assigned: Assigned,
    /// The clients whose connections were closed.
    clients: ReturningClients,
    idle_rounds: u32,
    waiting_rounds: u32,
    /// How long rounds have waited for returning clients.
    waited_for_clients: Duration,
    /// When the next connection may be closed.
    next_close: Instant,
    round: Option<CurrentRound>,
    /// Why it ends with the round in progress.
    aborted: Option<String>,
}

/// The round that a task carries out.
struct CurrentRound {
    number: u64,
    /// The nodes that took clients when it began.
    serving: Vec<String>,
    cancelled: CancellationToken,
}

impl RebalanceState {
    /// Refuses another rebalance.
    pub(in crate::supervisor) fn refuse_while_running(&self) -> Result<(), Refusal> {
        match &self.current {
            None => Ok(()),
            Some(running) => Err(Refusal {
                error: format!(
                    "a rebalance by {} runs since {}",
                    running.order.by,
                    rfc3339(running.since)
                ),
                hint: Some("try again when that is done".to_owned()),
            }),
        }
    }

    /// Whether connections are being closed.
    pub(in crate::supervisor) fn is_running(&self) -> bool {
        self.current.is_some()
    }

    /// A rebalance begins, with the closes of this plan.
    pub(in crate::supervisor) fn begin(&mut self, order: RebalanceOrder, pace: Pace, now: Instant) {
        tracing::info!(
            by = order.by,
            connections = pace.total,
            per_second = pace.per_second(),
            "rebalance"
        );
        self.current = Some(Running {
            order,
            pace,
            began: now,
            since: SystemTime::now(),
            figures: RebalanceFigures::default(),
            assigned: Assigned::new(),
            clients: ReturningClients::default(),
            idle_rounds: 0,
            waiting_rounds: 0,
            waited_for_clients: Duration::ZERO,
            next_close: now,
            round: None,
            aborted: None,
        });
    }

    /// The next round and its number, unless one is carried out for the same nodes.
    pub(super) fn next_round(&mut self, scope: Scope, now: Instant) -> Option<(u64, Round)> {
        let running = self.current.as_mut()?;
        if let Some(round) = &running.round {
            if round.serving != scope.serving {
                // It ends with what it has closed, and the next one plans again.
                round.cancelled.cancel();
            }
            return None;
        }
        self.rounds += 1;
        let cancelled = CancellationToken::new();
        running.round = Some(CurrentRound {
            number: self.rounds,
            serving: scope.serving.clone(),
            cancelled: cancelled.clone(),
        });
        let round = Round {
            scope: Scope {
                streams: running.order.streams,
                assigned: running.assigned.clone(),
                ..scope
            },
            progress: running.progress(now),
            next_close: running.next_close.into(),
            cancelled,
        };
        Some((self.rounds, round))
    }

    /// A round is over.
    pub(super) fn after(&mut self, number: u64, result: RoundResult, now: Instant) {
        let Some(running) = &mut self.current else { return };
        if running.round.as_ref().is_none_or(|round| round.number != number) {
            return;
        }
        running.round = None;
        let failure = result.failure.clone();
        let end = running.after(result, now);
        let aborted = running.aborted.take().or(failure.map(|refusal| refusal.error));
        match (aborted, end) {
            (Some(why), _) => self.end(RebalanceResult::Aborted, Some(why)),
            (None, Some((result, reason))) => self.end(result, reason),
            (None, None) => {}
        }
    }

    /// Something else ends the rebalance, as soon as the round in progress is over.
    pub(super) fn abort(&mut self, why: &str) {
        let Some(running) = &mut self.current else { return };
        match &running.round {
            None => self.end(RebalanceResult::Aborted, Some(why.to_owned())),
            Some(round) => {
                round.cancelled.cancel();
                running.aborted.get_or_insert_with(|| why.to_owned());
            }
        }
    }

    /// The rebalance in progress and the latest one, for the API.
    pub(in crate::supervisor) fn to_api(&self) -> Report {
        let current = self.current.as_ref().map(|running| api::Rebalance {
            by: running.order.by.clone(),
            since: rfc3339(running.since),
            planned: running.pace.total,
            per_second: running.pace.per_second(),
            figures: running.figures.clone(),
        });
        Report {
            current,
            last: self.last.clone(),
        }
    }

    /// The rebalance in progress as `status` shows it: its steps are the connections that it closes.
    pub(in crate::supervisor) fn as_rollout(&self) -> Option<api::Rollout> {
        let shown = self.to_api().current?;
        let closed = format!(
            "{} of {} connections are closed",
            shown.figures.closed, shown.planned
        );
        let count = |connections: u64| u32::try_from(connections).unwrap_or(u32::MAX);
        Some(api::Rollout {
            kind: RolloutKind::Rebalance,
            step: count(shown.figures.closed.saturating_add(1).min(shown.planned)),
            of: count(shown.planned),
            node: None,
            since: shown.since,
            by: shown.by,
            doing: match shown.figures.returning {
                0 => closed,
                returning => format!("{closed}, {returning} clients are not back yet"),
            },
            stopped: None,
            note: None,
            log: Vec::new(),
        })
    }

    // Private

    fn end(&mut self, result: RebalanceResult, reason: Option<String>) {
        let Some(running) = self.current.take() else {
            return;
        };
        let RebalanceFigures {
            closed,
            most_in_a_second,
            variance_percent,
            ..
        } = running.figures;
        tracing::info!(
            ?result,
            reason,
            connections = closed,
            most_in_a_second,
            variance_percent,
            "the rebalance is over"
        );
        self.last = Some(EndedRebalance {
            by: running.order.by,
            since: rfc3339(running.since),
            ended: rfc3339(SystemTime::now()),
            result,
            reason,
            planned: running.pace.total,
            per_second: running.pace.per_second(),
            figures: running.figures,
        });
    }
}

impl Running {
    /// How far it is.
    fn progress(&self, now: Instant) -> Progress {
        Progress {
            to: self.order.to,
            pace: self.pace,
            elapsed: now.saturating_duration_since(self.began),
            closed: self.figures.closed,
            clients: self.clients.clone(),
            may_wait: self.figures.closed == 0 && self.waiting_rounds < MAX_WAITING_ROUNDS,
        }
    }

    /// Takes in what a round has done, and returns how the rebalance ends, if it does.
    fn after(&mut self, result: RoundResult, now: Instant) -> Option<(RebalanceResult, Option<String>)> {
        let closed = result.closed.len() as u64;
        self.figures.closed += closed;
        self.figures.most_in_a_second = self.figures.most_in_a_second.max(closed);
        self.assigned.extend(result.assigned);
        self.next_close = result.next_close.map_or(self.next_close, Into::into);
        let Found {
            nodes,
            variance,
            is_even,
            waits,
            has_plan,
            clients,
        } = result.found?;
        let returning = clients.away();
        self.figures.returning = returning;
        self.clients = clients;
        self.clients.add(result.closed);
        self.figures.variance_percent = variance;
        self.figures.nodes = nodes;
        if self.figures.nodes.len() < 2 {
            return Some((RebalanceResult::Uneven, Some(TOO_FEW_NODES.to_owned())));
        }
        if waits && !is_even {
            // The time begins with the first second in which something may be closed.
            self.waiting_rounds += 1;
            self.began = now;
            return None;
        }
        let waits_for_clients = closed == 0 && returning > 0;
        if waits_for_clients {
            self.waited_for_clients = (self.waited_for_clients + ROUND).min(MAX_TIME_FOR_CLIENTS);
        }
        self.idle_rounds = if has_plan || waits_for_clients {
            0
        } else {
            self.idle_rounds + 1
        };
        let is_spent = self.figures.closed >= self.pace.most() && closed == 0 && returning == 0;
        let allowed = self.pace.over * 2 + EXTRA_TIME + self.waited_for_clients;
        let differ = format!("the nodes differ by {variance}%");
        if is_even {
            Some((RebalanceResult::Even, None))
        } else if self.idle_rounds >= MAX_IDLE_ROUNDS {
            let reason = format!("{differ}, and closing further connections would not help");
            Some((RebalanceResult::Uneven, Some(reason)))
        } else if is_spent {
            let reason = format!("{differ}: clients came back to other nodes than expected");
            Some((RebalanceResult::Uneven, Some(reason)))
        } else if now.saturating_duration_since(self.began) > allowed {
            let reason = format!(
                "{differ} after {}s: clients come and go too fast",
                allowed.as_secs()
            );
            Some((RebalanceResult::Uneven, Some(reason)))
        } else {
            None
        }
    }
}
