//! When messages are due: an open-loop schedule, which does not wait for answers.
//!
//! Each client has its turn once per interval, all interleaved evenly. Latency counts from when a
//! message was due, not from when it was sent: so a target that stalls cannot hide it by keeping
//! clients from sending ("coordinated omission").

/// The schedule of one worker's clients. Times are microseconds since the test began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// From one turn of a client to its next; infinite if there is nothing to send.
    interval: f64,
    /// From one client's turn to that of the worker's next client.
    step: f64,
    /// When this worker's first client has its first turn.
    offset: f64,
}

impl Pace {
    /// The schedule of worker `number` of `workers`, among which `clients` are dealt out in turn,
    /// for `per_second` messages of all clients together.
    pub(crate) fn new(per_second: f64, clients: u32, number: u16, workers: u16) -> Pace {
        let between = 1_000_000.0 / per_second;
        Pace {
            interval: between * f64::from(clients),
            step: between * f64::from(workers),
            offset: between * f64::from(number),
        }
    }

    /// When the worker's client `seat` has its turn number `turn`; `None` if never.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "micro-seconds of a year have 45 bits"
    )]
    pub(crate) fn due(&self, seat: u32, turn: u64) -> Option<u64> {
        let due = self.offset + self.step * f64::from(seat) + self.interval * turn as f64;
        due.is_finite().then_some(due as u64)
    }

    /// The first turn of `seat` that is due after `now`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a negative number of turns is none"
    )]
    pub(crate) fn next_turn(&self, seat: u32, now: u64) -> u64 {
        let since = now as f64 - self.offset - self.step * f64::from(seat);
        let turn = (since / self.interval).floor() as u64;
        let first = if since < 0.0 { 0 } else { turn + 1 };
        // Rounding may make it one too early.
        match self.due(seat, first) {
            Some(due) if due <= now => first + 1,
            _ => first,
        }
    }
}

/// The next turn in the cycle over all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carousel {
    seat: u32,
    turn: u64,
}

impl Carousel {
    /// The next seat of `seats`, and when its turn is.
    pub(crate) fn next(self, pace: &Pace) -> Option<(u32, u64)> {
        Some((self.seat, pace.due(self.seat, self.turn)?))
    }

    /// Moves on to the next turn.
    pub(crate) fn advance(&mut self, seats: u32) {
        self.seat += 1;
        if self.seat >= seats {
            self.seat = 0;
            self.turn += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_turn_is_the_first_after_now(
            per_second in 0.1f64..100_000.0, clients in 1u32..10_000, now in 0u64..1 << 40, seat in 0u32..1_000,
        ) {
            let pace = Pace::new(per_second, clients, 0, 1);
            let turn = pace.next_turn(seat, now);
            prop_assert!(pace.due(seat, turn).unwrap() > now);
            prop_assert!(turn == 0 || pace.due(seat, turn - 1).unwrap() <= now + 1);
        }
    }

    #[test]
    fn all_workers_together_send_evenly() {
        let mut due: Vec<u64> = (0..4)
            .flat_map(|worker| {
                let pace = Pace::new(1_000.0, 20, worker, 4);
                let mut carousel = Carousel::default();
                (0..10).map(move |_| {
                    let (_, due) = carousel.next(&pace).unwrap();
                    carousel.advance(5);
                    due
                })
            })
            .collect();
        due.sort_unstable();
        assert_eq!(due, (0..40).map(|nth| nth * 1_000).collect::<Vec<u64>>());
    }

    #[test]
    fn nothing_is_due_without_messages() {
        assert_eq!(Pace::new(0.0, 10, 0, 1).due(0, 0), None);
    }
}
