//! Whether a node answers, judged from probes in flight side by side.
//!
//! ```text
//!            an answer               MIN_UNANSWERED probes in SILENCE_TIMEOUT
//!  Unknown ────────────▶ Answering ──────────────────────────────────────────▶ Silent
//!     │                     ▲                                                  │ ▲
//!     │                     └──────────────────────────────────────────────────┘ │
//!     │                                     RISE answers in a row                │
//!     └──────────────────────────────────────────────────────────────────────────┘
//!                             the same silence
//! ```
//!
//! An answer counts whenever it comes, so a node that takes 2.9 s is slow, but never silent. When
//! the prober itself ran late, the silence may be the prober's own, and does not count.

use std::time::{Duration, Instant};

/// How long a node must answer nothing to count as silent.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(3);
/// How many probes must have been sent in that time.
const MIN_UNANSWERED: u32 = 3;
/// Answers in a row that end a silence.
const RISE: u32 = 2;

/// Time between two probes.
pub(in crate::supervisor) const INTERVAL: Duration = Duration::from_secs(1);
/// A prober that is later than this does not trust its own results.
pub(in crate::supervisor) const MAX_TICK_DELAY: Duration = Duration::from_millis(500);
/// Timeout of a probe; longer than `SILENCE_TIMEOUT`, so that slow answers count.
pub(in crate::supervisor) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The liveness of one port of one node.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervisor) struct Liveness {
    state: State,
    last_answer: Instant,
    asked_since: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Answering,
    Silent { since: Instant, answers: u32 },
}

impl Liveness {
    /// A node that has just answered.
    pub(in crate::supervisor) fn answering(now: Instant) -> Liveness {
        Liveness {
            state: State::Answering,
            last_answer: now,
            asked_since: 0,
        }
    }

    /// A node that has not answered yet.
    pub(in crate::supervisor) fn unknown(now: Instant) -> Liveness {
        Liveness {
            state: State::Unknown,
            last_answer: now,
            asked_since: 0,
        }
    }

    /// A probe was sent.
    pub(in crate::supervisor) fn asked(&mut self) {
        self.asked_since = self.asked_since.saturating_add(1);
    }

    /// A probe was answered well.
    pub(in crate::supervisor) fn answered(&mut self, now: Instant) {
        self.last_answer = now;
        self.asked_since = 0;
        self.state = match self.state {
            State::Silent { since, answers } if answers + 1 < RISE => State::Silent {
                since,
                answers: answers + 1,
            },
            State::Unknown | State::Answering | State::Silent { .. } => State::Answering,
        };
    }

    /// A probe could not be sent. For a node that has answered before, this means nothing. For any
    /// other node it counts as an unanswered probe: that the node cannot be probed must become
    /// visible.
    pub(in crate::supervisor) fn not_asked(&mut self) {
        if self.state != State::Unknown {
            self.asked_since = self.asked_since.saturating_sub(1);
        }
    }

    /// A probe failed.
    pub(in crate::supervisor) fn failed(&mut self) {
        if let State::Silent { since, .. } = self.state {
            self.state = State::Silent { since, answers: 0 };
        }
    }

    /// Time has passed; `late` when the prober itself ran late.
    pub(in crate::supervisor) fn judge(&mut self, now: Instant, late: bool) {
        if late {
            self.last_answer = now;
            self.asked_since = 0;
            return;
        }
        let silence = now.saturating_duration_since(self.last_answer);
        let is_silent = matches!(self.state, State::Silent { .. });
        if !is_silent && silence >= SILENCE_TIMEOUT && self.asked_since >= MIN_UNANSWERED {
            self.state = State::Silent {
                since: now,
                answers: 0,
            };
        }
    }

    /// When it last answered.
    pub(in crate::supervisor) fn last_answer(&self) -> Instant {
        self.last_answer
    }

    /// Since when it has been silent, if it is.
    pub(in crate::supervisor) fn silent_since(&self) -> Option<Instant> {
        match self.state {
            State::Unknown | State::Answering => None,
            State::Silent { since, .. } => Some(since),
        }
    }

    /// Whether nothing is known of it yet.
    pub(in crate::supervisor) fn is_unknown(&self) -> bool {
        self.state == State::Unknown
    }

    /// Whether it has answered, and has not fallen silent since.
    pub(in crate::supervisor) fn is_answering(&self) -> bool {
        self.state == State::Answering
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Seconds until a node that answers after `delay` (never, if `None`) counts as silent, within
    /// a minute.
    fn silent_after(delay: Option<Duration>) -> Option<u32> {
        let begin = Instant::now();
        let mut liveness = Liveness::answering(begin);
        let mut answers: Vec<Instant> = Vec::new();
        for second in 1..=60 {
            let now = begin + INTERVAL * second;
            for answer in answers.extract_if(.., |at| *at <= now) {
                liveness.answered(answer);
            }
            liveness.judge(now, false);
            if liveness.silent_since().is_some() {
                return Some(second);
            }
            liveness.asked();
            answers.extend(delay.map(|delay| now + delay));
        }
        None
    }

    #[test]
    fn a_hang_is_found_within_five_seconds() {
        assert!(silent_after(None).unwrap() <= 5);
    }

    proptest! {
        #[test]
        fn a_slow_node_is_never_silent(millis in 0u64..=2_950) {
            prop_assert_eq!(silent_after(Some(Duration::from_millis(millis))), None);
        }
    }

    #[test]
    fn a_first_answer_or_silence_ends_the_unknown_state() {
        let now = Instant::now();
        let mut answering = Liveness::unknown(now);
        assert!(answering.is_unknown() && answering.silent_since().is_none());
        answering.answered(now);
        assert!(!answering.is_unknown() && answering.silent_since().is_none());
        let mut silent = Liveness::unknown(now);
        (0..3).for_each(|_| silent.asked());
        silent.judge(now + SILENCE_TIMEOUT, false);
        assert!(!silent.is_unknown() && silent.silent_since().is_some());
    }

    #[test]
    fn an_unprobed_node_is_silent_only_if_it_never_answered() {
        let now = Instant::now();
        let judged = |mut liveness: Liveness| {
            for _ in 0..9 {
                liveness.asked();
                liveness.not_asked();
            }
            liveness.judge(now + SILENCE_TIMEOUT, false);
            liveness.silent_since().is_some()
        };
        assert!(judged(Liveness::unknown(now)));
        assert!(!judged(Liveness::answering(now)));
    }

    #[test]
    fn two_answers_in_a_row_end_a_silence() {
        let now = Instant::now();
        let mut liveness = Liveness::answering(now);
        (0..3).for_each(|_| liveness.asked());
        liveness.judge(now + SILENCE_TIMEOUT, false);
        liveness.answered(now + SILENCE_TIMEOUT);
        liveness.failed();
        liveness.answered(now + SILENCE_TIMEOUT);
        assert!(liveness.silent_since().is_some());
        liveness.answered(now + SILENCE_TIMEOUT);
        assert!(liveness.silent_since().is_none());
    }

    #[test]
    fn a_late_prober_does_not_count_as_a_silent_node() {
        let now = Instant::now();
        let mut liveness = Liveness::answering(now);
        (0..9).for_each(|_| liveness.asked());
        liveness.judge(now + SILENCE_TIMEOUT * 3, true);
        liveness.judge(now + SILENCE_TIMEOUT * 3, false);
        assert!(liveness.silent_since().is_none());
    }
}
