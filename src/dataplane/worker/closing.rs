//! Closes the clients that are left when the process ends, one after another, so that they do not all
//! connect elsewhere at the same moment.

use std::time::Duration;

use super::Worker;
use super::session::EndReason;

/// Time between two looks for answers that have ended, in ms.
const ANSWER_CHECK_MS: u64 = 20;

/// The clients that are left.
#[derive(Debug)]
pub(super) struct Closing {
    /// Each with the time at which it is closed; the next one is the last.
    left: Vec<(u64, Open)>,
    /// Clients whose time has come, and that are closed after the answer in flight.
    answering: Vec<Open>,
}

/// A client: its place and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// A session, in which bytes are relayed.
    Session(u32, u64),
    /// A client of HTTP.
    Http(u32, u64),
}

impl Open {
    /// Its number: those that came first have the lowest ones.
    const fn serial(self) -> u64 {
        match self {
            Open::Session(_, serial) | Open::Http(_, serial) => serial,
        }
    }
}

impl Closing {
    /// Spreads the ends of the clients of worker `number` evenly over the time until `now + over`. The
    /// clients of the other ones of all `workers` end in between.
    pub(super) fn new(open: &[Open], over: Duration, now: u64, number: u16, workers: u16) -> Closing {
        let workers = u128::from(workers.max(1));
        let turns = (open.len() as u128 * workers).max(1);
        let due = |at: usize| {
            let turn = at as u128 * workers + u128::from(number);
            now.saturating_add(u64::try_from(over.as_millis() * turn / turns).unwrap_or(u64::MAX))
        };
        let left = open.iter().enumerate().map(|(at, open)| (due(at), *open));
        Closing {
            left: left.rev().collect(),
            answering: Vec::new(),
        }
    }

    /// When the next client may have to be closed, in ms of the clock.
    pub(super) fn wakes_at(&self, now: u64) -> Option<u64> {
        let answered_at = (!self.answering.is_empty()).then_some(now + ANSWER_CHECK_MS);
        let next = self.left.last().map(|(at, _)| *at);
        answered_at.into_iter().chain(next).min()
    }

    /// The clients whose time has come.
    fn take_due(&mut self, now: u64) -> Vec<Open> {
        let mut due = std::mem::take(&mut self.answering);
        let first_due = self.left.partition_point(|(at, _)| *at > now);
        due.extend(self.left.drain(first_due..).rev().map(|(_, open)| open));
        due
    }
}

impl Worker {
    /// Begins to close the clients that are left, the oldest one first.
    pub(super) fn begin_closing(&mut self, over: Duration) {
        let sessions = self.places.iter().map(|it| Open::Session(it.index, it.serial));
        let mut open: Vec<Open> = sessions.chain(self.http_clients()).collect();
        open.sort_unstable_by_key(|it| it.serial());
        let workers = self.topology.config.workers;
        self.closing = Some(Closing::new(&open, over, self.now, self.number, workers));
    }

    /// Closes the clients whose time has come.
    pub(super) fn close_due(&mut self) {
        let now = self.now;
        let Some(due) = self.closing.as_mut().map(|closing| closing.take_due(now)) else {
            return;
        };
        for open in due {
            let is_answering = match open {
                Open::Session(index, serial) => {
                    self.close_session(index, serial);
                    false
                }
                Open::Http(index, serial) => !self.close_client(index, serial),
            };
            if let Some(closing) = self.closing.as_mut().filter(|_| is_answering) {
                closing.answering.push(open);
            }
        }
    }

    // Private

    fn close_session(&mut self, index: u32, serial: u64) {
        match self.places.take(index) {
            Some(session) if session.serial == serial => self.end(session, EndReason::Ordered),
            Some(another) => self.places.put(index, another),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_spread_over_the_time_and_over_the_workers() {
        let open = [Open::Session(0, 1), Open::Http(0, 2)];
        let over = Duration::from_secs(8);
        let [mut first, second] = [0, 1].map(|number| Closing::new(&open, over, 100, number, 2));
        let times = |closing: &Closing| closing.left.iter().rev().map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!(
            (times(&first), times(&second)),
            (vec![100, 4_100], vec![2_100, 6_100])
        );
        assert_eq!(first.wakes_at(0), Some(100));
        assert_eq!(first.take_due(99), []);
        assert_eq!(first.take_due(100), [open[0]]);
        first.answering.push(open[0]);
        assert_eq!(first.wakes_at(200), Some(200 + ANSWER_CHECK_MS));
        assert_eq!(first.take_due(5_000), open);
        assert_eq!(first.wakes_at(5_000), None);
        let at_once = Closing::new(&open, Duration::ZERO, 100, 1, 2).take_due(100);
        assert_eq!(at_once, open);
    }
}
