//! What a connection does now.
//!
//! ```text
//!   accepted
//!      │
//!      ▼
//!     Head ──complete──▶ Body ──complete──▶ Serving ──answered──▶ Answer
//!      ▲                   └──────────────answered──────────────────▲│
//!      │                                                             │ all bytes
//!      └─────────────────────first byte──── Idle ◀───────────────────┘ are sent
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// The timeout for a request's head, from its first byte; for the first request of a connection,
/// from the start.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time in which a client reads no byte of its answer.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It reads the head of a request.
    Head {
        /// When the head began.
        since: Instant,
    },
    /// It reads the body of a request. The request's handler bounds the time for it.
    Body {
        /// When the last bytes came.
        since: Instant,
    },
    /// It has a whole request, and the answer is not complete.
    Serving,
    /// The answer is complete, and the client has not read all of it.
    Answer {
        /// When the client last made room.
        since: Instant,
    },
    /// It waits for the next request.
    Idle {
        /// Since when.
        since: Instant,
    },
}

/// What happens on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Bytes came from the client.
    Read,
    /// The head of a request is complete.
    HeadComplete,
    /// The whole request is there.
    RequestComplete,
    /// The last byte of the answer is known.
    Answered,
    /// The kernel took bytes of an answer.
    Wrote,
    /// The kernel has taken all bytes.
    Flushed,
}

impl Phase {
    /// The phase after `event`.
    #[must_use]
    pub(super) const fn after(self, event: Event, now: Instant) -> Phase {
        match (self, event) {
            (Phase::Idle { .. }, Event::Read) => Phase::Head { since: now },
            (Phase::Body { .. }, Event::Read) | (_, Event::HeadComplete) => Phase::Body { since: now },
            (Phase::Body { .. }, Event::RequestComplete) => Phase::Serving,
            (_, Event::Answered) | (Phase::Answer { .. }, Event::Wrote) => Phase::Answer { since: now },
            (Phase::Answer { .. }, Event::Flushed) => Phase::Idle { since: now },
            // Such as `100 Continue` while the body is read, or bytes of a next request that came early.
            (phase, _) => phase,
        }
    }

    /// Since when it waits for the client; `None` if it does not.
    pub(super) const fn waits_since(self) -> Option<Instant> {
        match self {
            Phase::Serving => None,
            Phase::Head { since }
            | Phase::Body { since }
            | Phase::Answer { since }
            | Phase::Idle { since } => Some(since),
        }
    }

    /// When the connection has to end unless the client does something. `idle` is the timeout
    /// between two requests.
    pub(super) fn deadline(self, idle: Duration) -> Option<Instant> {
        match self {
            Phase::Head { since } => Some(since + HEAD_TIMEOUT),
            Phase::Answer { since } => Some(since + WRITE_TIMEOUT),
            Phase::Idle { since } => Some(since + idle),
            Phase::Body { .. } | Phase::Serving => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_through_all_phases() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut phase = Phase::Head { since: began };
        for (second, (event, expected)) in [
            (Event::Read, Phase::Head { since: began }),
            (Event::HeadComplete, Phase::Body { since: at(1) }),
            // `100 Continue`
            (Event::Wrote, Phase::Body { since: at(1) }),
            (Event::Flushed, Phase::Body { since: at(1) }),
            (Event::Read, Phase::Body { since: at(4) }),
            (Event::RequestComplete, Phase::Serving),
            (Event::Wrote, Phase::Serving),
            (Event::Flushed, Phase::Serving),
            (Event::Read, Phase::Serving),
            (Event::Answered, Phase::Answer { since: at(9) }),
            (Event::Wrote, Phase::Answer { since: at(10) }),
            (Event::Read, Phase::Answer { since: at(10) }),
            (Event::Flushed, Phase::Idle { since: at(12) }),
            (Event::Read, Phase::Head { since: at(13) }),
            (Event::Read, Phase::Head { since: at(13) }),
        ]
        .into_iter()
        .enumerate()
        {
            phase = phase.after(event, at(second as u64));
            assert_eq!(phase, expected, "{event:?} at {second}");
        }
    }

    #[test]
    fn a_request_may_be_answered_before_its_body_is_there() {
        let now = Instant::now();
        let phase = Phase::Body { since: now };
        assert_eq!(phase.after(Event::Answered, now), Phase::Answer { since: now });
    }

    #[test]
    fn only_a_whole_request_is_not_waited_for() {
        let since = Instant::now();
        let idle = Duration::from_mins(1);
        for (phase, timeout) in [
            (Phase::Head { since }, Some(HEAD_TIMEOUT)),
            (Phase::Body { since }, None),
            (Phase::Answer { since }, Some(WRITE_TIMEOUT)),
            (Phase::Idle { since }, Some(idle)),
        ] {
            assert_eq!(phase.waits_since(), Some(since));
            assert_eq!(phase.deadline(idle), timeout.map(|timeout| since + timeout));
        }
        assert_eq!(
            (Phase::Serving.waits_since(), Phase::Serving.deadline(idle)),
            (None, None)
        );
    }
}
