//! The course of a test: ramp, hold, a failover in the middle of it, clients that reconnect, end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::command::Command;
use super::counting;
use super::fault_injection::{self, FaultError, InjectedFault};
use super::memory::Meter;
use super::order::{Cluster, Order};
use super::outcome::{Findings, Victims};
use super::progress::Progress;
use super::results::{FailoverMode, Moment, Phase, millis};
use super::run::RunError;
use super::timeline::Timeline;
use super::times::Times;
use super::worker::Common;
use super::worker_pool::{WorkerPool, WorkersState};

/// Time between two polls of the workers.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two polls while clients of a failed node are not served.
const CLOSE_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Time between two points of the timeline, in seconds, at first.
const TIMELINE_STEP_SECONDS: f64 = 0.2;
/// A failover begins when this fraction of the hold is over: a third.
const FAILOVER_START_DIVISOR: u32 = 3;
/// A failover is given up after this many times its target.
const FAILOVER_TIMEOUT_FACTOR: u32 = 4;
/// How late a client's timeout may be: timers are that coarse.
const TIMER_RESOLUTION: Duration = Duration::from_millis(500);
/// Clients that reconnect: one of a hundred, within these bounds, and at most all.
const RECONNECT_SAMPLE: std::ops::RangeInclusive<u32> = 100..=1_000;

/// A running test.
pub(super) struct Director<'a> {
    order: &'a Order,
    common: Arc<Common>,
    pool: WorkerPool,
    timeline: Timeline,
    progress: &'a watch::Sender<Option<Progress>>,
    stop: &'a CancellationToken,
    phase: Phase,
    hold_ends: Option<Instant>,
    /// Messages answered since the last point of the timeline.
    recent: Times,
    last: LastPoll,
    /// Further remarks for the report.
    notes: Vec<String>,
}

/// What the last poll found.
#[derive(Clone, Copy, Debug)]
struct LastPoll {
    at: Instant,
    served: u64,
    rate: f64,
    p99_ms: Option<f64>,
}

impl<'a> Director<'a> {
    /// Starts the workers, which begin with the ramp.
    pub(super) fn start(
        order: &'a Order,
        progress: &'a watch::Sender<Option<Progress>>,
        stop: &'a CancellationToken,
    ) -> Result<Director<'a>, RunError> {
        let common = Arc::new(Common::of(order));
        Ok(Director {
            pool: WorkerPool::start(&common).map_err(RunError::Start)?,
            order,
            common,
            timeline: Timeline::new(TIMELINE_STEP_SECONDS),
            progress,
            stop,
            phase: Phase::Ramp,
            hold_ends: None,
            recent: Times::default(),
            last: LastPoll {
                at: Instant::now(),
                served: 0,
                rate: 0.0,
                p99_ms: None,
            },
            notes: Vec::new(),
        })
    }

    /// Runs all phases, or ends early if stopped.
    pub(super) async fn run(mut self, meter: Meter) -> Result<Findings, RunError> {
        let complete = self.ramp().await;
        if !complete {
            self.pool.send(|_| Command::OpenNoMore);
        }
        let placement = counting::placement(self.order, &self.pool, &self.common.names).await;
        let mut victims = None;
        let mut held_for = Duration::ZERO;
        if complete {
            (held_for, victims) = self.hold().await;
        }
        let counts = counting::count(self.order, &self.pool, &self.common.names, self.stop).await;
        let memory = meter.read(self.order, counts.generator.total).await;
        let sampled = if complete {
            self.wait_for_answers().await;
            self.sample().await
        } else {
            0
        };
        self.phase = Phase::Close;
        self.poll().await;
        let was_stopped = self.stop.is_cancelled();
        let tally = self.pool.end().await?;
        Ok(Findings {
            names: self.common.names.all(),
            placement,
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
        let limit = self.order.timeout
            + Duration::from_secs_f64(per_connection.min(3_600.0))
            + Duration::from_secs(1);
        // The most connections so far, and since when.
        let mut best = (0, Instant::now());
        loop {
            let state = self.poll().await;
            if state.connected() >= self.order.connections {
                return true;
            }
            // Not the number of welcomes: a target that loses clients as fast as it serves them
            // makes no progress.
            if state.connected() > best.0 {
                best = (state.connected(), Instant::now());
            }
            if self.ends_early(&state) {
                return false;
            }
            if best.1.elapsed() > limit {
                let (made, asked) = (state.connected(), self.order.connections);
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
        self.pool.send(|_| Command::Hold(from));
        let order = self.order;
        let failover = order.cluster.as_ref().and_then(|cluster| {
            cluster
                .failover
                .as_ref()
                .map(|(node, mode)| (cluster, node, *mode))
        });
        let mut victims = None;
        if let Some((cluster, node, mode)) = failover {
            self.hold_until(began + order.hold / FAILOVER_START_DIVISOR).await;
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
            victims.fault.poll().await;
        }
        let over = self.common.now();
        self.pool.send(|_| Command::HoldIsOver(over));
        self.hold_ends = None;
        (began.elapsed(), victims)
    }

    async fn hold_until(&mut self, end: Instant) {
        while Instant::now() < end {
            let state = self.poll().await;
            if self.ends_early(&state) {
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
    ) -> Result<Victims, FaultError> {
        let process = fault_injection::process_of(cluster, node).await?;
        let clients = self.pool.fail(self.common.names.id(node)).await;
        let at = self.common.now();
        let fault = InjectedFault::begin(cluster, node, mode, process)?;
        let mut victims = Victims::new(node, mode, clients, at, fault);
        let limit = Instant::now() + self.order.targets.failover.duration() * FAILOVER_TIMEOUT_FACTOR;
        loop {
            victims.fault.poll().await;
            let state = self.poll().await;
            if state.homeless == 0 {
                victims.after = Some(counting::held(self.order, &state, &self.common.names).nodes);
                break;
            }
            if Instant::now() > limit || self.ends_early(&state) {
                break;
            }
            self.wait(CLOSE_POLL_INTERVAL).await;
        }
        self.pool.send(|_| Command::FailureIsOver);
        victims.fault.resume();
        Ok(victims)
    }

    /// Waits for the answers to what was sent in the hold: the last message must not count as
    /// unanswered.
    async fn wait_for_answers(&mut self) {
        let begin = Instant::now();
        loop {
            let state = self.poll().await;
            // A little longer than a client's own timeout, which then counts the error itself.
            let limit = self.order.timeout + TIMER_RESOLUTION;
            if state.in_flight == 0 || begin.elapsed() > limit || self.ends_early(&state) {
                return;
            }
            self.wait(CLOSE_POLL_INTERVAL).await;
        }
    }

    /// Makes some clients close their connection and reconnect; how many.
    async fn sample(&mut self) -> u32 {
        let asked = self.order.connections;
        let wanted = (asked / 100)
            .clamp(*RECONNECT_SAMPLE.start(), *RECONNECT_SAMPLE.end())
            .min(asked);
        if self.stop.is_cancelled() || self.order.cluster.as_ref().is_some_and(|cluster| !cluster.sticky) {
            return 0;
        }
        self.phase = Phase::Sticky;
        self.pool.sample(wanted);
        let begin = Instant::now();
        loop {
            self.wait(CLOSE_POLL_INTERVAL).await;
            let state = self.poll().await;
            if state.sampling == 0 || begin.elapsed() > self.order.timeout || self.ends_early(&state) {
                return wanted;
            }
        }
    }

    /// Whether there is nothing left to wait for: the test was interrupted, or a worker has died.
    fn ends_early(&self, state: &WorkersState) -> bool {
        self.stop.is_cancelled() || state.workers < self.order.workers
    }

    async fn wait(&self, time: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    /// Polls all workers and reports the progress.
    async fn poll(&mut self) -> WorkersState {
        let state = self.pool.state().await;
        let elapsed = self.common.began.elapsed();
        self.last.update(&state, Instant::now());
        self.record_point(&state, elapsed);
        self.progress.send_replace(Some(self.progress(&state, elapsed)));
        state
    }

    /// Adds a point to the timeline, if it is time for one.
    fn record_point(&mut self, state: &WorkersState, elapsed: Duration) {
        self.recent.merge(&state.recent);
        if self.timeline.wants(elapsed.as_secs_f64(), self.phase) {
            self.timeline.add(Moment {
                at_seconds: elapsed.as_secs_f64(),
                phase: self.phase,
                held: state.held.clone(),
                opening: state.opening,
                errors: state.errors.count(),
                p99_ms: std::mem::take(&mut self.recent).p99().map(millis),
            });
        }
    }

    fn progress(&self, state: &WorkersState, elapsed: Duration) -> Progress {
        let names = self.common.names.all();
        Progress {
            phase: self.phase,
            elapsed,
            asked: self.order.connections,
            connected: state.connected(),
            opening: state.opening,
            errors: state.errors.count(),
            rate_per_second: self.last.rate,
            p99_ms: self.last.p99_ms,
            held: names.into_iter().zip(state.held.iter().copied()).collect(),
            hold_left: self
                .hold_ends
                .map(|end| end.saturating_duration_since(Instant::now())),
        }
    }
}

impl LastPoll {
    /// Records the state at `now`. Two polls that are too close give no rate.
    fn update(&mut self, state: &WorkersState, now: Instant) {
        let since = now.saturating_duration_since(self.at);
        if since < POLL_INTERVAL {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "connections of a tenth of a second")]
        let made = state.served.saturating_sub(self.served) as f64;
        *self = LastPoll {
            at: now,
            served: state.served,
            rate: made / since.as_secs_f64(),
            p99_ms: state.recent.p99().map(millis).or(self.p99_ms),
        };
    }
}
