//! When each connection is closed: evenly within a second, and never faster than planned.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::plan::Pace;

/// Closes that are planned closer together than this catch up when they are late; others are just
/// late.
const MAX_SPACING_TO_CATCH_UP: Duration = Duration::from_millis(5);
/// The most by which closes catch up.
const MAX_CATCH_UP: Duration = Duration::from_millis(20);

/// The times of closes, one after another.
pub(super) struct CloseTimer {
    next: Instant,
    spacing: Duration,
    catch_up: Duration,
}

impl CloseTimer {
    /// The first close may begin at `next`.
    pub(super) fn new(pace: Pace, next: Instant) -> CloseTimer {
        let spacing = pace.spacing();
        CloseTimer {
            next,
            spacing,
            catch_up: if spacing < MAX_SPACING_TO_CATCH_UP {
                MAX_CATCH_UP
            } else {
                Duration::ZERO
            },
        }
    }

    /// When the next close may begin.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Waits until a close may begin. The one after it has its time then, however this one ends.
    pub(super) async fn wait(&mut self) {
        sleep_until(self.next).await;
        let now = Instant::now();
        self.next = self.next.max(now.checked_sub(self.catch_up).unwrap_or(now)) + self.spacing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(total: u64) -> CloseTimer {
        let pace = Pace {
            total,
            over: Duration::from_secs(1),
        };
        CloseTimer::new(pace, Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_close_delays_the_next_ones() {
        let mut timer = timer(9);
        timer.wait().await;
        tokio::time::advance(Duration::from_secs(3)).await;
        timer.wait().await;
        assert_eq!(timer.next(), Instant::now() + Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn close_times_that_are_close_together_catch_up_a_little() {
        let mut timer = timer(900);
        timer.wait().await;
        tokio::time::advance(Duration::from_secs(3)).await;
        let began = Instant::now();
        let mut at_once = 0;
        while timer.next() <= began {
            timer.wait().await;
            at_once += 1;
        }
        assert_eq!((at_once, Instant::now()), (21, began));
    }
}
