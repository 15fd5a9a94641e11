//! When messages are due: an open-loop schedule, which does not wait for answers.
//!
//! Each client has its turn once per interval, all interleaved evenly. Latency counts from when a
//! message was due, not from when it was sent: so a target that stalls cannot hide it by keeping
//! clients from sending ("coordinated omission").

/// The schedule of one worker's clients. Times are microseconds since the test began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    /// From one turn of a client to its next; infinite if there is nothing to send.
    interval: f64,
    /// From one client's turn to that of the worker's next client.
    step: f64,
    /// When this worker's first client has its first turn.
    offset: f64,
}

impl Schedule {
    /// The schedule of worker `number` of `workers`, among which `clients` are dealt out in turn,
    /// for `per_second` messages of all clients together.
    pub(crate) fn new(per_second: f64, clients: u32, number: u16, workers: u16) -> Schedule {
        let between = 1_000_000.0 / per_second;
        Schedule {
            interval: between * f64::from(clients),
            step: between * f64::from(workers),
            offset: between * f64::from(number),
        }
    }

    /// When the worker's client `client` has its turn number `turn`; `None` if never.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "micro-seconds of a year have 45 bits"
    )]
    pub(crate) fn due(&self, client: u32, turn: u64) -> Option<u64> {
        let due = self.offset + self.step * f64::from(client) + self.interval * turn as f64;
        due.is_finite().then_some(due as u64)
    }

    /// The first turn of `client` that is due after `now`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a negative number of turns is none"
    )]
    pub(crate) fn next_turn(&self, client: u32, now: u64) -> u64 {
        let since = now as f64 - self.offset - self.step * f64::from(client);
        let turn = (since / self.interval).floor() as u64;
        let first = if since < 0.0 { 0 } else { turn + 1 };
        // Rounding may make it one too early.
        match self.due(client, first) {
            Some(due) if due <= now => first + 1,
            _ => first,
        }
    }
}

/// The next turn in the cycle over all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TurnCycle {
    client: u32,
    turn: u64,
}

impl TurnCycle {
    /// The next seat of `clients`, and when its turn is.
    pub(crate) fn next(self, schedule: &Schedule) -> Option<(u32, u64)> {
        Some((self.client, schedule.due(self.client, self.turn)?))
    }

    /// Moves on to the next turn.
    pub(crate) fn advance(&mut self, clients: u32) {
        self.client += 1;
        if self.client >= clients {
            self.client = 0;
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
            per_second in 0.1f64..100_000.0, clients in 1u32..10_000, now in 0u64..1 << 40, client in 0u32..1_000,
        ) {
            let schedule = Schedule::new(per_second, clients, 0, 1);
            let turn = schedule.next_turn(client, now);
            prop_assert!(schedule.due(client, turn).unwrap() > now);
            prop_assert!(turn == 0 || schedule.due(client, turn - 1).unwrap() <= now + 1);
        }
    }

    #[test]
    fn all_workers_together_send_evenly() {
        let mut due: Vec<u64> = (0..4)
            .flat_map(|worker| {
                let schedule = Schedule::new(1_000.0, 20, worker, 4);
                let mut cycle = TurnCycle::default();
                (0..10).map(move |_| {
                    let (_, due) = cycle.next(&schedule).unwrap();
                    cycle.advance(5);
                    due
                })
            })
            .collect();
        due.sort_unstable();
        assert_eq!(due, (0..40).map(|nth| nth * 1_000).collect::<Vec<u64>>());
    }

    #[test]
    fn nothing_is_due_without_messages() {
        assert_eq!(Schedule::new(0.0, 10, 0, 1).due(0, 0), None);
    }
}
