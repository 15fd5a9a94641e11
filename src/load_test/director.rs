//! The course of a test: ramp, hold, a failover in the middle of it, clients that reconnect, end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::command::Command;
use super::counting;
use super::crew::{Crew, Standing};
use super::fault_injection::{self, Failing, FailingError};
use super::memory::Meter;
use super::order::{Cluster, Order};
use super::outcome::{Found, Victims};
use super::progress::Glance;
use super::results::{FailoverMode, Moment, Phase, millis};
use super::run::RunError;
use super::timeline::Timeline;
use super::times::Times;
use super::worker::Common;

/// Time between two polls of the workers.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two polls while clients of a failed node are not served.
const CLOSE_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Time between two points of the timeline, in seconds, at first.
const MOMENT: f64 = 0.2;
/// A failover begins when this fraction of the hold is over: a third.
const FAILS_AFTER: u32 = 3;
/// A failover is given up after this many times its target.
const GIVE_UP: u32 = 4;
/// How late a client's timeout may be: timers are that coarse.
const TIMER_RESOLUTION: Duration = Duration::from_millis(500);
/// Clients that reconnect: one of a hundred, within these bounds, and at most all.
const SAMPLE: std::ops::RangeInclusive<u32> = 100..=1_000;

/// A running test.
pub(super) struct Director<'a> {
    order: &'a Order,
    common: Arc<Common>,
    crew: Crew,
    timeline: Timeline,
    glances: &'a watch::Sender<Option<Glance>>,
    stop: &'a CancellationToken,
    phase: Phase,
    hold_ends: Option<Instant>,
    /// Messages answered since the last point of the timeline.
    recent: Times,
    last: Last,
    /// Further remarks for the report.
    notes: Vec<String>,
}

/// What the last poll found.
#[derive(Clone, Copy, Debug)]
struct Last {
    at: Instant,
    welcomes: u64,
    rate: f64,
    p99_ms: Option<f64>,
}

impl<'a> Director<'a> {
    /// Starts the workers, which begin with the ramp.
    pub(super) fn start(
        order: &'a Order,
        glances: &'a watch::Sender<Option<Glance>>,
        stop: &'a CancellationToken,
    ) -> Result<Director<'a>, RunError> {
        let common = Arc::new(Common::of(order));
        Ok(Director {
            crew: Crew::start(&common).map_err(RunError::Start)?,
            order,
            common,
            timeline: Timeline::new(MOMENT),
            glances,
            stop,
            phase: Phase::Ramp,
            hold_ends: None,
            recent: Times::default(),
            last: Last {
                at: Instant::now(),
                welcomes: 0,
                rate: 0.0,
                p99_ms: None,
            },
            notes: Vec::new(),
        })
    }

    /// Runs all phases, or ends early if stopped.
    pub(super) async fn direct(mut self, meter: Meter) -> Result<Found, RunError> {
        let complete = self.ramp().await;
        if !complete {
            self.crew.tell(|_| Command::Enough);
        }
        let laid = counting::laid(self.order, &self.crew, &self.common.names).await;
        let mut victims = None;
        let mut held_for = Duration::ZERO;
        if complete {
            (held_for, victims) = self.hold().await;
        }
        let counts = counting::count(self.order, &self.crew, &self.common.names, self.stop).await;
        let memory = meter.read(self.order, counts.generator.total).await;
        let sampled = if complete {
            self.let_answer().await;
            self.sample().await
        } else {
            0
        };
        self.phase = Phase::Close;
        self.look().await;
        let was_stopped = self.stop.is_cancelled();
        let tally = self.crew.end().await?;
        Ok(Found {
            names: self.common.names.all(),
            laid,
            hold: held_for,
            counts,
            memory,
            sampled,
            victims,
            timeline: self.timeline,
            tally,
            was_stopped,
            notes: self.notes,
        })
    }

    // Private

    /// Waits until all connections are made; whether they are. Ends early if the target serves no
    /// more clients.
    async fn ramp(&mut self) -> bool {
        let per_connection = self.order.rate.map_or(0.0, |rate| 2.0 / rate);
        let limit = self.order.patience
            + Duration::from_secs_f64(per_connection.min(3_600.0))
            + Duration::from_secs(1);
        // The most connections so far, and since when.
        let mut progress = (0, Instant::now());
        loop {
            let standing = self.look().await;
            if standing.connected() >= self.order.connections {
                return true;
            }
            // Not the number of welcomes: a target that loses clients as fast as it serves them
            // makes no progress.
            if standing.connected() > progress.0 {
                progress = (standing.connected(), Instant::now());
            }
            if self.ends_early(&standing) {
                return false;
            }
            if progress.1.elapsed() > limit {
                let (made, asked) = (standing.connected(), self.order.connections);
                let waited = limit.as_secs();
                self.notes.push(format!(
                    "the ramp was given up: {made} of {asked} connections were made, and no more in {waited} s"
                ));
                return false;
            }
            self.wait(POLL_INTERVAL).await;
        }
    }

    /// Waits for the end of the hold, and for the failover in it; how long it was.
    async fn hold(&mut self) -> (Duration, Option<Victims>) {
        self.phase = Phase::Hold;
        let began = Instant::now();
        self.hold_ends = Some(began + self.order.hold);
        let from = self.common.now();
        self.crew.tell(|_| Command::Hold(from));
        let order = self.order;
        let failover = order.cluster.as_ref().and_then(|cluster| {
            cluster
                .failover
                .as_ref()
                .map(|(node, mode)| (cluster, node, *mode))
        });
        let mut victims = None;
        if let Some((cluster, node, mode)) = failover {
            self.hold_until(began + order.hold / FAILS_AFTER).await;
            if !self.stop.is_cancelled() {
                victims = self
                    .fail(cluster, node, mode)
                    .await
                    .map_err(|error| self.notes.push(format!("cannot make {node} fail: {error}")))
                    .ok();
            }
        }
        self.hold_until(began + order.hold).await;
        if let Some(victims) = &mut victims {
            victims.failing.look().await;
        }
        let over = self.common.now();
        self.crew.tell(|_| Command::HoldIsOver(over));
        self.hold_ends = None;
        (began.elapsed(), victims)
    }

    async fn hold_until(&mut self, end: Instant) {
        while Instant::now() < end {
            let standing = self.look().await;
            if self.ends_early(&standing) {
                return;
            }
            self.wait(POLL_INTERVAL.min(end.saturating_duration_since(Instant::now())))
                .await;
        }
    }

    /// Makes `node` fail, and follows its clients until other nodes serve all of them, or the time
    /// is over.
    async fn fail(
        &mut self,
        cluster: &Cluster,
        node: &str,
        mode: FailoverMode,
    ) -> Result<Victims, FailingError> {
        let process = fault_injection::process_of(cluster, node).await?;
        let clients = self.crew.fail(self.common.names.id(node)).await;
        let at = self.common.now();
        let failing = Failing::begin(cluster, node, mode, process)?;
        let mut victims = Victims::new(node, mode, clients, at, failing);
        let limit = Instant::now() + self.order.targets.failover.duration() * GIVE_UP;
        loop {
            victims.failing.look().await;
            let standing = self.look().await;
            if standing.homeless == 0 {
                victims.after = Some(counting::held(self.order, &standing, &self.common.names).nodes);
                break;
            }
            if Instant::now() > limit || self.ends_early(&standing) {
                break;
            }
            self.wait(CLOSE_POLL_INTERVAL).await;
        }
        self.crew.tell(|_| Command::FailureIsOver);
        victims.failing.go_on();
        Ok(victims)
    }

    /// Waits for the answers to what was sent in the hold: the last message must not count as
    /// unanswered.
    async fn let_answer(&mut self) {
        let begin = Instant::now();
        loop {
            let standing = self.look().await;
            // A little longer than a client's own timeout, which then counts the error itself.
            let limit = self.order.patience + TIMER_RESOLUTION;
            if standing.asking == 0 || begin.elapsed() > limit || self.ends_early(&standing) {
                return;
            }
            self.wait(CLOSE_POLL_INTERVAL).await;
        }
    }

    /// Makes some clients close their connection and reconnect; how many.
    async fn sample(&mut self) -> u32 {
        let asked = self.order.connections;
        let wanted = (asked / 100).clamp(*SAMPLE.start(), *SAMPLE.end()).min(asked);
        if self.stop.is_cancelled() || self.order.cluster.as_ref().is_some_and(|cluster| !cluster.sticky) {
            return 0;
        }
        self.phase = Phase::Sticky;
        self.crew.sample(wanted);
        let begin = Instant::now();
        loop {
            self.wait(CLOSE_POLL_INTERVAL).await;
            let standing = self.look().await;
            if standing.sampling == 0 || begin.elapsed() > self.order.patience || self.ends_early(&standing) {
                return wanted;
            }
        }
    }

    /// Whether there is nothing left to wait for: the test was interrupted, or a worker has died.
    fn ends_early(&self, standing: &Standing) -> bool {
        self.stop.is_cancelled() || standing.workers < self.order.workers
    }

    async fn wait(&self, time: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    /// Polls all workers and reports the progress.
    async fn look(&mut self) -> Standing {
        let standing = self.crew.standing().await;
        let elapsed = self.common.began.elapsed();
        self.last.see(&standing, Instant::now());
        self.remember(&standing, elapsed);
        self.glances.send_replace(Some(self.glance(&standing, elapsed)));
        standing
    }

    /// Adds a point to the timeline, if it is time for one.
    fn remember(&mut self, standing: &Standing, elapsed: Duration) {
        self.recent.merge(&standing.recent);
        if self.timeline.wants(elapsed.as_secs_f64(), self.phase) {
            self.timeline.add(Moment {
                at_seconds: elapsed.as_secs_f64(),
                phase: self.phase,
                held: standing.held.clone(),
                opening: standing.opening,
                errors: standing.errors.count(),
                p99_ms: std::mem::take(&mut self.recent).p99().map(millis),
            });
        }
    }

    fn glance(&self, standing: &Standing, elapsed: Duration) -> Glance {
        let names = self.common.names.all();
        Glance {
            phase: self.phase,
            elapsed,
            asked: self.order.connections,
            connected: standing.connected(),
            opening: standing.opening,
            errors: standing.errors.count(),
            rate_per_second: self.last.rate,
            p99_ms: self.last.p99_ms,
            held: names.into_iter().zip(standing.held.iter().copied()).collect(),
            hold_left: self
                .hold_ends
                .map(|end| end.saturating_duration_since(Instant::now())),
        }
    }
}

impl Last {
    /// Records the state at `now`. Two polls that are too close give no rate.
    fn see(&mut self, standing: &Standing, now: Instant) {
        let since = now.saturating_duration_since(self.at);
        if since < POLL_INTERVAL {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "connections of a tenth of a second")]
        let made = standing.welcomes.saturating_sub(self.welcomes) as f64;
        *self = Last {
            at: now,
            welcomes: standing.welcomes,
            rate: made / since.as_secs_f64(),
            p99_ms: standing.recent.p99().map(millis).or(self.p99_ms),
        };
    }
}
