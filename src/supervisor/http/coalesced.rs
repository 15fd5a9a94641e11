//! A result that requests of the same moment share, so that many of them cost as much as two.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The last result, and when its computation began.
#[derive(Debug)]
pub(in crate::supervisor) struct Coalesced<T>(Arc<Mutex<Option<(Instant, T)>>>);

impl<T: Clone> Coalesced<T> {
    /// What `compute` returns, now or to another request: but never a result whose computation began
    /// before this request.
    pub(in crate::supervisor) async fn get(&self, compute: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((began, result)) = &*last
            && *began > asked
        {
            return result.clone();
        }
        let began = Instant::now();
        let result = compute.await;
        *last = Some((began, result.clone()));
        result
    }
}

impl<T> Default for Coalesced<T> {
    fn default() -> Coalesced<T> {
        Coalesced(Arc::default())
    }
}

impl<T> Clone for Coalesced<T> {
    fn clone(&self) -> Coalesced<T> {
        Coalesced(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_of_one_moment_share_a_result_that_is_not_older_than_they_are() {
        let computed = AtomicU32::new(0);
        let coalesced = Coalesced::default();
        let get = |after: u64| {
            let (computed, coalesced) = (&computed, coalesced.clone());
            async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                let compute = async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    computed.fetch_add(1, Relaxed) + 1
                };
                coalesced.get(compute).await
            }
        };
        // The first one computes alone, the two that come meanwhile share a newer result.
        let results = tokio::join!(get(0), get(10), get(20), get(500));
        assert_eq!(results, (1, 2, 2, 3));
    }
}
