//! One failover: from a node's last sign of life until it gets clients again, with measured times.
//!
//! ```text
//!  detected ──▶ cut ──▶ elsewhere ──▶ back
//!  we know      the balancer has      a request through the balancer   the node answers again
//!               closed its sessions   is answered by another node
//! ```
//!
//! A node may be back before the other stages: the failover is over when the node is no longer held
//! back either.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::api::{self, FailoverCause};

/// A failover, in progress or over. Times are counted from the last sign of life.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct Failover {
    cause: FailoverCause,
    /// Why the node's process ended, if it did.
    why: Option<String>,
    began: Instant,
    /// The same moment by the wall clock, for readers outside this process.
    began_at: SystemTime,
    detected: Duration,
    cut: Option<Duration>,
    elsewhere: Option<Duration>,
    back: Option<Duration>,
    is_over: bool,
}

impl Failover {
    /// A failover detected at `now`, which the wall clock calls `wall`; the last sign of life was
    /// at `began`.
    pub(in crate::supervisor) fn new(
        cause: FailoverCause,
        began: Instant,
        now: Instant,
        wall: SystemTime,
    ) -> Failover {
        let detected = now.saturating_duration_since(began);
        Failover {
            cause,
            why: None,
            began,
            began_at: wall.checked_sub(detected).unwrap_or(wall),
            detected,
            cut: None,
            elsewhere: None,
            back: None,
            is_over: false,
        }
    }

    /// Sets the reason for which the node's process ended.
    pub(in crate::supervisor) fn because(self, why: Option<String>) -> Failover {
        Failover { why, ..self }
    }

    /// The balancer has closed the node's sessions. Returns whether that was not known before.
    pub(in crate::supervisor) fn cut(&mut self, now: Instant) -> bool {
        self.stage(now, |failover| &mut failover.cut)
    }

    /// A request through the balancer was answered. Returns whether that was not known before.
    pub(in crate::supervisor) fn elsewhere(&mut self, now: Instant) -> bool {
        self.stage(now, |failover| &mut failover.elsewhere)
    }

    /// The node answers again. Returns whether that was not known before.
    pub(in crate::supervisor) fn back(&mut self, now: Instant) -> bool {
        self.stage(now, |failover| &mut failover.back)
    }

    /// The node gets clients again.
    pub(in crate::supervisor) fn end(&mut self) {
        self.is_over = true;
    }

    /// Whether the balancer does not know of the failure yet, and `timeout` has not passed since
    /// its detection.
    pub(in crate::supervisor) fn is_unsent(&self, timeout: Duration, now: Instant) -> bool {
        self.cut.is_none() && now.saturating_duration_since(self.began) < self.detected + timeout
    }

    /// Why the node failed.
    pub(in crate::supervisor) fn cause(&self) -> FailoverCause {
        self.cause
    }

    /// Why the node's process ended, if it did.
    pub(in crate::supervisor) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Time from the last sign of life until clients are served elsewhere.
    pub(in crate::supervisor) fn took(&self) -> Option<Duration> {
        self.elsewhere
    }

    /// Whether no client was served elsewhere within `limit`.
    pub(in crate::supervisor) fn is_overdue(&self, limit: Duration, now: Instant) -> bool {
        self.elsewhere
            .unwrap_or_else(|| now.saturating_duration_since(self.began))
            > limit
    }

    /// The failover of `node`, as the API reports it.
    pub(in crate::supervisor) fn to_api(&self, node: &str) -> api::Failover {
        let began = self.began_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        api::Failover {
            node: node.to_owned(),
            cause: self.cause,
            began_unix_us: u64::try_from(began.as_micros()).unwrap_or(u64::MAX),
            detected_ms: millis(self.detected),
            cut_ms: self.cut.map(millis),
            elsewhere_ms: self.elsewhere.map(millis),
            back_ms: self.back.map(millis),
        }
    }

    /// Whether the node gets clients again.
    pub(in crate::supervisor) fn is_over(&self) -> bool {
        self.is_over
    }

    // Private

    fn stage(&mut self, now: Instant, stage: impl Fn(&mut Failover) -> &mut Option<Duration>) -> bool {
        let time = now.saturating_duration_since(self.began);
        let stage = stage(self);
        let is_news = stage.is_none();
        stage.get_or_insert(time);
        is_news
    }
}

impl fmt::Display for Failover {
    /// `died, detected=0ms cut=3ms elsewhere=8ms back=180ms`; stages that have not come are left
    /// out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = match self.cause {
            FailoverCause::Died => "died",
            FailoverCause::Hung => "hung",
        };
        write!(f, "{cause}, detected={}ms", self.detected.as_millis())?;
        for (stage, time) in [
            ("cut", self.cut),
            ("elsewhere", self.elsewhere),
            ("back", self.back),
        ] {
            if let Some(time) = time {
                write!(f, " {stage}={}ms", time.as_millis())?;
            }
        }
        Ok(())
    }
}

// Private

/// In milliseconds, to the microsecond.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_count_from_the_last_answer_and_are_logged_once() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let wall = UNIX_EPOCH + Duration::from_millis(1_003_100);
        let mut failover = Failover::new(FailoverCause::Hung, began, at(3_100), wall);
        assert!(failover.cut(at(3_105)));
        assert!(!failover.cut(at(9_000)));
        assert!(failover.elsewhere(at(3_112)));
        assert_eq!(failover.took(), Some(Duration::from_millis(3_112)));
        assert!(!failover.is_overdue(Duration::from_secs(4), at(90_000)));
        assert!(failover.is_overdue(Duration::from_secs(3), at(3_112)));
        assert!(failover.back(at(33_000)));
        assert_eq!(
            failover.to_string(),
            "hung, detected=3100ms cut=3105ms elsewhere=3112ms back=33000ms"
        );
        let shown = api::Failover {
            node: "erlmcp2".to_owned(),
            cause: FailoverCause::Hung,
            began_unix_us: 1_000_000_000,
            detected_ms: 3_100.0,
            cut_ms: Some(3_105.0),
            elsewhere_ms: Some(3_112.0),
            back_ms: Some(33_000.0),
        };
        assert_eq!(failover.to_api("erlmcp2"), shown);
    }
}
