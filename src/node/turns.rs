//! Whether every worker does its turns: a worker that is stuck answers nothing, and the other
//! workers would not notice it.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

/// A worker that does not answer within this time is stuck.
const TURN_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of the latest question to the workers, and that of each worker's latest answer.
#[derive(Debug)]
pub(super) struct Turns {
    asked: watch::Sender<u64>,
    answered: Vec<watch::Sender<u64>>,
}

impl Turns {
    /// Turns of this many workers.
    pub(super) fn new(workers: u16) -> Turns {
        Turns {
            asked: watch::Sender::new(0),
            answered: (0..workers.max(1)).map(|_| watch::Sender::new(0)).collect(),
        }
    }

    /// Answers for the worker with this number whenever its event loop turns.
    pub(super) async fn answer(&self, worker: u16) {
        let Some(answered) = self.answered.get(usize::from(worker)) else {
            return;
        };
        let mut asked = self.asked.subscribe();
        loop {
            let question = *asked.borrow_and_update();
            answered.send_replace(question);
            if asked.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether every worker answers in time.
    pub(super) async fn all_answer(&self) -> bool {
        let mut question = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            question = *asked;
        });
        let answers = self.answered.iter().map(|answered| async move {
            let mut answered = answered.subscribe();
            let _never_closed = answered.wait_for(|answer| *answer >= question).await;
        });
        tokio::time::timeout(TURN_TIMEOUT, join_all(answers))
            .await
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_does_not_answer_is_noticed() {
        let turns = Arc::new(Turns::new(2));
        let answering = |worker| {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.answer(worker).await })
        };
        let _first = answering(0);
        assert!(!turns.all_answer().await);
        let second = answering(1);
        assert!(turns.all_answer().await);
        assert!(turns.all_answer().await);
        second.abort();
        assert!(!turns.all_answer().await);
    }
}
